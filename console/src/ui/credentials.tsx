// SPDX-License-Identifier: Apache-2.0
// Changing a password and setting up the second factor: used by the forced set-up and by the account page.
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import qrcode from 'qrcode-generator';
import { useMemo, useState } from 'react';
import { call } from '../api/client';
import { Copy, ErrorBox } from './basics';

export const PASSWORD_LEAST = 12;

export function PasswordForm({ done }: { done: () => void }) {
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const save = useMutation({
    mutationFn: () => call('POST', '/account/password', { body: { current, new: next }, keepSession: true }),
    onSuccess: () => {
      setCurrent('');
      setNext('');
      setAgain('');
      done();
    },
  });
  const shortOne = next !== '' && [...next].length < PASSWORD_LEAST;
  const differs = again !== '' && again !== next;
  return (
    <form
      className="stack"
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <PasswordInput label="Current password" autoComplete="current-password" value={current} required
        onChange={(e) => setCurrent(e.currentTarget.value)} />
      <PasswordInput label="New password" autoComplete="new-password" value={next} required
        description={`At least ${PASSWORD_LEAST} characters`}
        error={shortOne ? `At least ${PASSWORD_LEAST} characters` : undefined}
        onChange={(e) => setNext(e.currentTarget.value)} />
      <PasswordInput label="New password again" autoComplete="new-password" value={again} required
        error={differs ? 'The two are not the same' : undefined} onChange={(e) => setAgain(e.currentTarget.value)} />
      <ErrorBox error={save.error} />
      <Button type="submit" loading={save.isPending} disabled={shortOne || next !== again || !current || !next}>
        Change password
      </Button>
    </form>
  );
}

/** A QR code as SVG of rectangles: nothing but numbers of ours goes into the page. */
function Qr({ text }: { text: string }) {
  const { size, path } = useMemo(() => {
    const qr = qrcode(0, 'M');
    qr.addData(text);
    qr.make();
    const n = qr.getModuleCount();
    let d = '';
    for (let y = 0; y < n; y++) {
      for (let x = 0; x < n; x++) {
        if (qr.isDark(y, x)) {
          d += `M${x + 4} ${y + 4}h1v1h-1z`;
        }
      }
    }
    return { size: n + 8, path: d };
  }, [text]);
  return (
    <div className="qr" role="img" aria-label="QR code for an authenticator app">
      <svg viewBox={`0 0 ${size} ${size}`} width="100%" height="100%" shapeRendering="crispEdges" aria-hidden="true">
        <path d={path} fill="#000" />
      </svg>
    </div>
  );
}

export function TotpForm({ done }: { done: () => void }) {
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [codes, setCodes] = useState<string[] | null>(null);
  const begin = useMutation({
    mutationFn: async () =>
      (await call('POST', '/account/totp', { body: { password }, keepSession: true })).data,
    onSuccess: () => setPassword(''),
  });
  const confirm = useMutation({
    mutationFn: async () =>
      (await call('PUT', '/account/totp', { body: { code: code.replace(/\s/g, '') }, keepSession: true })).data,
    onSuccess: (d) => setCodes(d.recovery_codes),
  });
  if (codes) {
    return (
      <div className="stack">
        <p style={{ margin: 0 }}>
          Two-factor sign-in is on. Keep these recovery codes where you keep passwords: each signs you in once when your
          phone is away. They are not shown again.
        </p>
        <div className="codes">
          {codes.map((c) => (
            <span key={c}>{c}</span>
          ))}
        </div>
        <div className="filters" style={{ justifyContent: 'space-between' }}>
          <Copy text={codes.join('\n')} label="Copy recovery codes" />
          <Button onClick={done}>I have kept them</Button>
        </div>
      </div>
    );
  }
  if (!begin.data) {
    return (
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          begin.mutate();
        }}
      >
        <p style={{ margin: 0 }}>
          A code of an app on your phone is asked for at each sign-in, so that a stolen password is not enough.
        </p>
        <PasswordInput label="Your password" autoComplete="current-password" value={password} required
          onChange={(e) => setPassword(e.currentTarget.value)} />
        <ErrorBox error={begin.error} />
        <Button type="submit" loading={begin.isPending} disabled={!password}>
          Set up two-factor sign-in
        </Button>
      </form>
    );
  }
  return (
    <form
      className="stack"
      onSubmit={(e) => {
        e.preventDefault();
        confirm.mutate();
      }}
    >
      <Qr text={begin.data.otpauth_uri} />
      <p style={{ margin: 0 }}>Scan the code with an authenticator app, or type the secret into it:</p>
      <div className="command">
        <code data-testid="totp-secret">{begin.data.secret}</code>
        <Copy text={begin.data.secret} label="Copy secret" />
      </div>
      <TextInput label="Code that the app shows" value={code} onChange={(e) => setCode(e.currentTarget.value)}
        inputMode="numeric" autoComplete="one-time-code" maxLength={16} required autoFocus />
      <ErrorBox error={confirm.error} />
      <Button type="submit" loading={confirm.isPending}>
        Turn on
      </Button>
    </form>
  );
}
