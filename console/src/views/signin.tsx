// SPDX-License-Identifier: Apache-2.0
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { Problem, call, type Sent } from '../api/client';
import { useSessionState } from '../api/session';
import { ErrorBox } from '../ui/basics';
import { Brand, OfflineBanner } from '../ui/shell';
import { useTitle } from '../lib/hooks';

export function SignIn() {
  const { adopt, expired } = useSessionState();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [step, setStep] = useState<'password' | 'totp' | 'recovery'>('password');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  useTitle('Sign in');

  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setError(null);
    const body: Sent<'POST', '/session'> = { username, password };
    if (step === 'totp') {
      body.totp = code.replace(/\s/g, '');
    } else if (step === 'recovery') {
      body.recovery_code = code.trim();
    }
    try {
      adopt((await call('POST', '/session', { body, keepSession: true })).data);
    } catch (problem) {
      if (problem instanceof Problem && problem.body.totp_required === true && step === 'password') {
        setStep('totp');
      } else {
        setError(problem);
        setCode('');
      }
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <OfflineBanner />
      <main className="gate">
        <div className="card">
          <Brand />
          <h1>Sign in</h1>
          <form onSubmit={(e) => void submit(e)}>
            <p className="dim" style={{ margin: 0 }}>
              {expired ? 'Your session has ended. Sign in to go on where you were.' : 'Endpoint detection and response'}
            </p>
            {step === 'password' ? (
              <>
                <TextInput
                  label="User name"
                  size="sm"
                  value={username}
                  onChange={(e) => setUsername(e.currentTarget.value)}
                  autoComplete="username"
                  autoFocus
                  required
                  maxLength={128}
                />
                <PasswordInput
                  label="Password"
                  size="sm"
                  value={password}
                  onChange={(e) => setPassword(e.currentTarget.value)}
                  autoComplete="current-password"
                  required
                  maxLength={1024}
                />
              </>
            ) : (
              <TextInput
                key={step}
                label={step === 'totp' ? 'Code of your authenticator app' : 'Recovery code'}
                size="sm"
                value={code}
                onChange={(e) => setCode(e.currentTarget.value)}
                autoComplete="one-time-code"
                inputMode={step === 'totp' ? 'numeric' : 'text'}
                autoFocus
                required
                maxLength={64}
              />
            )}
            <ErrorBox error={error} />
            <Button type="submit" size="sm" loading={busy} fullWidth>
              {step === 'password' ? 'Sign in' : 'Continue'}
            </Button>
            {step !== 'password' && (
              <div className="filters" style={{ justifyContent: 'space-between' }}>
                <button type="button" className="plain link" onClick={() => { setStep(step === 'totp' ? 'recovery' : 'totp'); setCode(''); setError(null); }}>
                  {step === 'totp' ? 'Use a recovery code' : 'Use the authenticator app'}
                </button>
                <button type="button" className="plain link" onClick={() => { setStep('password'); setCode(''); setError(null); }}>
                  Start over
                </button>
              </div>
            )}
          </form>
        </div>
      </main>
    </>
  );
}
