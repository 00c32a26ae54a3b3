// SPDX-License-Identifier: Apache-2.0
// A command to an endpoint: what it is and what became of it, in words. What the agent answered is hostile text.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, type ReactNode } from 'react';
import { Link } from 'react-router-dom';
import { get } from '../api/client';
import type { Command, CommandState, CommandType } from '../api/schema';
import { textOf } from '../lib/hostile';
import { leaves } from '../lib/leaves';
import { Ago, Time } from './basics';
import { Raw } from './raw';

/** Every type that the server knows: a new one does not compile until it has its words here. */
export const TYPES: Record<CommandType, { name: string; does: string }> = {
  kill_process: {
    name: 'End a process',
    does: 'The process is killed at once: what it has not written is gone. Processes that it started go on.',
  },
  update_rules: { name: 'Ask for its rules', does: 'The agent asks for its detection rules now instead of at its next turn.' },
};
/** Those that are about an endpoint as a whole. */
export const ENDPOINT_TYPES = (Object.keys(TYPES) as CommandType[]).filter((t) => t !== 'kill_process');
const STATES: Record<CommandState, string> = {
  pending: 'info', sent: 'violet', success: 'good', failed: 'bad', expired: 'warn', cancelled: 'off',
};
export const STATE_NAMES = Object.keys(STATES) as CommandState[];

export const typeName = (type: string): string => TYPES[type as CommandType]?.name ?? type;
/** Whether something can still become of it. */
export const isOpen = (c: Pick<Command, 'state'> | undefined): boolean => c?.state === 'pending' || c?.state === 'sent';

export function CommandTag({ state }: { state: CommandState }) {
  return <span className={`tag ${STATES[state] ?? 'off'}`}>{state}</span>;
}

/** What its state means: done is what the agent said, never what was hoped for. */
export function meaning(c: Pick<Command, 'state' | 'sent'>): string {
  switch (c.state) {
    case 'pending':
      return 'It waits until the endpoint asks for commands.';
    case 'sent':
      return 'The endpoint was given it. Its agent has not answered yet.';
    case 'success':
      return 'Its agent says that it is done.';
    case 'failed':
      return 'Its agent says that it was not done.';
    case 'cancelled':
      return 'It was withdrawn before the endpoint was given it.';
    default:
      return c.sent
        ? 'The endpoint was given it, and no answer came in time: whether it was done is not known.'
        : 'The endpoint did not ask for it in time: it was never given it.';
  }
}

/** One line of what the agent answered. */
export function resultLine(c: Command): string {
  const r = c.result ?? {};
  return [textOf(r.result), textOf(r.detail)].filter(Boolean).join(': ') || (c.result ? textOf(c.result) : '');
}

/** One command, asked for again while something can still become of it. */
export function useCommand(id: string, known?: Command) {
  const client = useQueryClient();
  const q = useQuery({
    queryKey: ['commands', 'one', id],
    queryFn: ({ signal }) => get('/commands/{id}', { path: { id }, signal }),
    initialData: known,
    enabled: id !== '',
    refetchInterval: (one) => (isOpen(one.state.data) ? 1000 : false),
  });
  const state = q.data?.state;
  useEffect(() => {
    if (state) {
      void client.invalidateQueries({ queryKey: ['commands', 'list'] });
    }
  }, [client, state]);
  return q;
}

function Row({ name, children }: { name: ReactNode; children: ReactNode }) {
  return <><dt>{name}</dt><dd>{children}</dd></>;
}

/** What it is aimed at; without a way to it where people are about to act. */
export function Target({ c, lead = false }: { c: Pick<Command, 'endpoint_id' | 'payload'>; lead?: boolean }) {
  const p = c.payload ?? {};
  const key = textOf(p.process_key);
  return (
    <>
      {p.pid !== undefined && <Row name="PID"><Raw value={p.pid} mono /></Row>}
      {key !== '' && (
        <Row name="Start key">
          <Raw value={key} mono />{' '}
          {lead && <Link to={`/endpoints/${encodeURIComponent(c.endpoint_id)}/processes/${encodeURIComponent(key)}`}>Process tree</Link>}
        </Row>
      )}
      {p.boot_id !== undefined && <Row name="Boot"><Raw value={p.boot_id} mono /></Row>}
    </>
  );
}

/** Where it stands, for readers of screens too, as it changes. */
export function Standing({ c }: { c: Command }) {
  return (
    <div className="filters" role="status">
      <CommandTag state={c.state} />
      <span>{meaning(c)}</span>
    </div>
  );
}

/** What the agent answered, word for word. */
export function Result({ c }: { c: Command }) {
  if (!c.result) {
    return <div className="dim">{isOpen(c) ? 'No answer yet.' : 'There is no answer.'}</div>;
  }
  const first = ({ path }: { path: string }) => (path === 'result' ? 0 : path === 'detail' ? 1 : 2);
  const fields = leaves(c.result).sort((a, b) => first(a) - first(b));
  return fields.length ? (
    <dl className="facts">
      {fields.map((f, i) => (
        <Row key={i} name={<Raw value={f.path} most={80} mono />}><Raw value={f.value} mono /></Row>
      ))}
    </dl>
  ) : (
    <Raw value={c.result} mono />
  );
}

const ENDED: Record<CommandState, string> = {
  pending: 'Answered', sent: 'Answered', success: 'Answered', failed: 'Answered', expired: 'Expired', cancelled: 'Withdrawn',
};

/** Its states with their times. */
export function Times({ c }: { c: Command }) {
  const over = c.done ?? (c.state === 'expired' ? c.expires : null);
  return (
    <>
      <Row name="Made"><Time at={c.created} /> <span className="dim"><Ago at={c.created} /></span></Row>
      <Row name="Given to it">{c.sent ? <Time at={c.sent} /> : <span className="dim">{c.state === 'pending' ? 'not yet' : 'never'}</span>}</Row>
      <Row name={ENDED[c.state]}>{over ? <Time at={over} /> : <span className="dim">not yet</span>}</Row>
      {isOpen(c) && <Row name="Expires"><Time at={c.expires} /> <span className="dim"><Ago at={c.expires} /></span></Row>}
    </>
  );
}
