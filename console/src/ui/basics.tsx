// SPDX-License-Identifier: Apache-2.0
// Small parts that every view uses.
import { ActionIcon, Button, Modal, Skeleton, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useEffect, useState, type ReactNode } from 'react';
import { Problem } from '../api/client';
import type { AlertState, EndpointStatus, Severity } from '../api/schema';
import { ago, stamp, useUtc } from '../lib/format';
import { useNow, useTitle } from '../lib/hooks';

export function Page({
  title,
  before,
  actions,
  fill = false,
  children,
  name,
}: {
  title: ReactNode;
  name: string;
  before?: ReactNode;
  actions?: ReactNode;
  fill?: boolean;
  children: ReactNode;
}) {
  useTitle(name);
  return (
    <div className={fill ? 'page fill' : 'page'}>
      <header>
        {before}
        <h1>{title}</h1>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function Panel({
  title,
  more,
  fill = false,
  children,
}: {
  title?: ReactNode;
  more?: ReactNode;
  fill?: boolean;
  children: ReactNode;
}) {
  return (
    <section className={fill ? 'panel fill' : 'panel'}>
      {title && (
        <h2>
          {title}
          {more && <span className="more">{more}</span>}
        </h2>
      )}
      {children}
    </section>
  );
}

export function Stat({ name, value, note }: { name: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className="panel stat">
      <div className="name">{name}</div>
      <div className="value">{value}</div>
      {note && <div className="note">{note}</div>}
    </div>
  );
}

export function sayProblem(e: unknown): string {
  if (e instanceof Problem) {
    const wait = e.retryAfter ? ` Try again in ${e.retryAfter} s.` : '';
    return `${e.detail || e.title || `The server answered ${e.status}.`}${wait}`;
  }
  return e instanceof Error ? e.message : 'Something went wrong.';
}

export function ErrorBox({ error, retry }: { error: unknown; retry?: () => void }) {
  if (!error) {
    return null;
  }
  return (
    <div className="problem" role="alert">
      <span>{sayProblem(error)}</span>
      {retry && (
        <Button variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

export function Waiting({ rows = 6 }: { rows?: number }) {
  return (
    <div className="stack" aria-busy="true" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <Skeleton key={i} height={16} radius="sm" />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h3>{title}</h3>
      {children}
    </div>
  );
}

export function Time({ at, fraction = true }: { at: string | null | undefined; fraction?: boolean }) {
  const utc = useUtc();
  return (
    <time className="num nowrap" dateTime={at ?? undefined} title={at ? `${stamp(at, !utc)} ${utc ? 'local time' : 'UTC'}, ${ago(at)}` : undefined}>
      {stamp(at, utc, fraction)}
    </time>
  );
}

export function Ago({ at }: { at: string | null | undefined }) {
  const now = useNow();
  const utc = useUtc();
  return (
    <Tooltip label={at ? `${stamp(at, utc)} ${utc ? 'UTC' : ''}` : 'never'}>
      <span className="num nowrap">{ago(at, now)}</span>
    </Tooltip>
  );
}

export function SeverityTag({ severity }: { severity: Severity | string | null }) {
  if (!severity) {
    return <span className="dim">–</span>;
  }
  return <span className={`tag ${severity}`}>{severity === 'informational' ? 'info' : severity}</span>;
}

const STATES: Record<AlertState, [string, string]> = {
  new: ['bad', 'new'],
  in_progress: ['info', 'in progress'],
  closed: ['off', 'closed'],
};
export function StateTag({ state }: { state: AlertState }) {
  const [look, text] = STATES[state] ?? ['off', state];
  return <span className={`tag ${look}`}>{text}</span>;
}

const STATUS: Record<EndpointStatus, string> = {
  online: 'good',
  degraded: 'warn',
  offline: 'off',
  never: 'off',
  revoked: 'bad',
};
export function StatusTag({ status }: { status: EndpointStatus }) {
  return (
    <span className={`tag ${STATUS[status] ?? 'off'}`}>
      <span className="dot" />
      {status === 'never' ? 'never seen' : status}
    </span>
  );
}

export function Copy({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    const t = done ? setTimeout(() => setDone(false), 1500) : undefined;
    return () => clearTimeout(t);
  }, [done]);
  return (
    <Tooltip label={done ? 'Copied' : label}>
      <ActionIcon
        aria-label={done ? 'Copied' : label}
        onClick={() => void navigator.clipboard.writeText(text).then(() => setDone(true))}
      >
        {done ? <IconCheck size={16} /> : <IconCopy size={16} />}
      </ActionIcon>
    </Tooltip>
  );
}

export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <code>{text}</code>
      <Copy text={text} label="Copy command" />
    </div>
  );
}

/** Asks before what cannot be taken back. */
export function Confirm({
  opened,
  title,
  children,
  action,
  onClose,
  onConfirm,
}: {
  opened: boolean;
  title: string;
  children: ReactNode;
  action: string;
  onClose: () => void;
  onConfirm: () => Promise<void>;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  return (
    <Modal opened={opened} onClose={onClose} title={title} size="md">
      <div className="stack">
        <div>{children}</div>
        <ErrorBox error={error} />
        <div className="filters right">
          <Button variant="default" onClick={onClose} data-autofocus>
            Cancel
          </Button>
          <Button
            color="red.8"
            loading={busy}
            onClick={() => {
              setBusy(true);
              setError(null);
              onConfirm()
                .then(onClose, setError)
                .finally(() => setBusy(false));
            }}
          >
            {action}
          </Button>
        </div>
      </div>
    </Modal>
  );
}
