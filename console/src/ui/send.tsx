// SPDX-License-Identifier: Apache-2.0
// Telling an endpoint to do something: asked first, with what it is aimed at; then what becomes of it, as its agent says.
import { Button, Modal, Select, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState, type ReactNode } from 'react';
import { Link } from 'react-router-dom';
import { Problem, call, get, type Sent } from '../api/client';
import { useMay } from '../api/session';
import type { Command, CommandType, EndpointDetail, ProcessTree } from '../api/schema';
import { textOf } from '../lib/hostile';
import { Ago, ErrorBox, StatusTag, Time, sayProblem } from './basics';
import { Result, Standing, TYPES, Target, useCommand } from './command';
import { Raw } from './raw';

export interface Order {
  endpoint: string;
  type: CommandType;
  payload?: { pid: number; process_key: string };
  /** What the reason begins with. */
  reason?: string;
}

const LIVES = [
  { value: '60', label: '1 minute' },
  { value: '300', label: '5 minutes' },
  { value: '3600', label: '1 hour' },
  { value: '86400', label: '1 day' },
  { value: '604800', label: '7 days' },
];

/** The order to end a process; null when an event does not say which one as the server takes it. */
export function endOf(endpoint: string, pid: unknown, key: unknown, reason?: string): Order | null {
  const n = Number(textOf(pid) || NaN);
  const k = textOf(key);
  return endpoint && Number.isInteger(n) && n >= 1 && n <= 0xffffffff && /^(?!0{16})[0-9a-f]{16}$/.test(k)
    ? { endpoint, type: 'kill_process', payload: { pid: n, process_key: k }, reason }
    : null;
}

/** `ask` is there for those who may; `dialog` has to stand somewhere, and stays when the right to ask is gone meanwhile. */
export function useSend(): { ask?: (o: Order) => void; dialog: ReactNode; asking: boolean } {
  const may = useMay('responder');
  const [order, setOrder] = useState<{ n: number; o: Order } | null>(null);
  const [asking, setAsking] = useState(false);
  const ask = useCallback((o: Order) => {
    setOrder((old) => ({ n: (old?.n ?? 0) + 1, o }));
    setAsking(true);
  }, []);
  const close = () => setAsking(false);
  const dialog = (
    <Modal opened={asking} onClose={close} size="lg" title={order ? TYPES[order.o.type].name : ''}>
      {order && <Sending key={order.n} order={order.o} close={close} />}
    </Modal>
  );
  return { ask: may ? ask : undefined, dialog, asking };
}

function Sending({ order, close }: { order: Order; close: () => void }) {
  const [made, setMade] = useState<Command | null>(null);
  return made ? <Outcome made={made} close={close} /> : <Ask order={order} close={close} done={setMade} />;
}

/** Nobody knows what became of a request without an answer. */
function unsure(e: unknown): boolean {
  return e instanceof Problem && (e.status === 0 || e.status >= 500);
}
function NotSent({ error, endpoint }: { error: unknown; endpoint: string }) {
  return error ? (
    <div className="problem" role="alert">
      <span>
        {unsure(error) ? 'Whether it was sent is not known. ' : 'Nothing was sent. '}
        {sayProblem(error)}
        {unsure(error) && <>{' '}<Link to={`/commands?endpoint=${encodeURIComponent(endpoint)}`}>See the commands of this endpoint</Link> first.</>}
      </span>
    </div>
  ) : null;
}

/** Why it may not be as people expect, before they send it. */
function Warnings({ e, p }: { e?: EndpointDetail; p?: ProcessTree }) {
  const away = e && e.status !== 'online' && e.status !== 'degraded';
  return (
    <>
      {away && (
        <div className="problem" role="note">
          {e.status === 'revoked'
            ? 'This endpoint is revoked: it is sent nothing.'
            : 'This endpoint is not connected now. The command waits for it, and is done when it comes back in time, or never.'}
        </div>
      )}
      {p?.process.ended && (
        <div className="problem" role="note"><span>This process was seen to end, at <Time at={p.process.ended} />.</span></div>
      )}
    </>
  );
}

/** Endpoint and process as the server knows them. */
function Aim({ order, e, p }: { order: Order; e?: EndpointDetail; p?: ProcessTree }) {
  const process = p?.process;
  return (
    <dl className="facts">
      <dt>Endpoint</dt>
      <dd className="filters">
        <strong><Raw value={e?.hostname || order.endpoint} most={80} /></strong>
        {e && <><StatusTag status={e.status} /><span className="dim">last seen <Ago at={e.last_seen} /></span></>}
      </dd>
      {order.payload && process && (
        <>
          <dt>Process</dt><dd><Raw value={process.command_line ?? process.image_path} most={300} mono /></dd>
          {process.user && <><dt>User</dt><dd><Raw value={process.user} /></dd></>}
          {process.started && <><dt>Started</dt><dd><Time at={process.started} /></dd></>}
        </>
      )}
      <Target c={{ endpoint_id: order.endpoint, payload: order.payload ?? null }} />
    </dl>
  );
}

function Ask({ order, close, done }: { order: Order; close: () => void; done: (c: Command) => void }) {
  const id = order.endpoint;
  const key = order.payload?.process_key ?? '';
  const [reason, setReason] = useState(order.reason ?? '');
  const [life, setLife] = useState('300');
  const client = useQueryClient();
  const endpoint = useQuery({ queryKey: ['endpoint', id], queryFn: ({ signal }) => call('GET', '/endpoints/{id}', { path: { id }, signal }) });
  const process = useQuery({
    queryKey: ['process', id, key, 1],
    queryFn: ({ signal }) => get('/endpoints/{id}/processes/{key}', { path: { id, key }, query: { limit: 1 }, signal }),
    enabled: key !== '',
    retry: false,
  });
  const send = useMutation({
    mutationFn: async () => {
      const body: Sent<'POST', '/endpoints/{id}/commands'> = {
        type: order.type, payload: order.payload, reason: reason.trim(), expires_in_seconds: Number(life),
      };
      return (await call('POST', '/endpoints/{id}/commands', { path: { id }, body })).data;
    },
    onSuccess: (c) => {
      void client.invalidateQueries({ queryKey: ['commands', 'list'] });
      done(c);
    },
  });
  const e = endpoint.data?.data;
  const seen = !endpoint.isPending && (key === '' || !process.isPending); // nothing is sent to what nobody saw named
  return (
    <div className="stack">
      <Aim order={order} e={e} p={process.data} />
      <div>{TYPES[order.type].does}</div>
      <Warnings e={e} p={process.data} />
      <ErrorBox error={endpoint.error} />
      <TextInput label="Reason" placeholder="Why, for whoever reads it later" value={reason} maxLength={500} data-autofocus
        onChange={(x) => setReason(x.currentTarget.value)} />
      <Select label="Give up after" w={160} data={LIVES} value={life} allowDeselect={false} onChange={(v) => v && setLife(v)} />
      <NotSent error={send.error} endpoint={id} />
      <div className="filters right">
        <Button variant="default" onClick={close}>Cancel</Button>
        <Button color={order.type === 'kill_process' ? 'red.8' : undefined} loading={send.isPending} disabled={!seen}
          onClick={() => send.mutate()}>
          {order.type === 'kill_process' ? 'End this process' : 'Send'}
        </Button>
      </div>
    </div>
  );
}

/** Withdraws it while the endpoint was not given it. */
export function Withdraw({ c }: { c: Command }) {
  const may = useMay('responder');
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => call('DELETE', '/commands/{id}', { path: { id: c.id } }),
    onSettled: () => client.invalidateQueries({ queryKey: ['commands'] }),
  });
  const late = cancel.error instanceof Problem && cancel.error.status === 409;
  return (
    <>
      {late ? (
        <div className="problem" role="alert">It can no longer be withdrawn: see where it stands now.</div>
      ) : (
        <ErrorBox error={cancel.error} />
      )}
      {may && c.state === 'pending' && (
        <Button variant="default" loading={cancel.isPending} onClick={() => cancel.mutate()} style={{ alignSelf: 'flex-start' }}>Withdraw</Button>
      )}
    </>
  );
}

function Outcome({ made, close }: { made: Command; close: () => void }) {
  const q = useCommand(made.id, made);
  const c = q.data ?? made;
  const last = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // The button that was pressed is gone with its step: the keyboard goes on inside of the dialog.
    if (!last.current?.closest('[role=dialog]')?.contains(document.activeElement)) {
      last.current?.focus();
    }
  }, [c.state]);
  return (
    <div className="stack">
      <dl className="facts">
        <dt>Endpoint</dt><dd><strong><Raw value={c.hostname || c.endpoint_id} most={80} /></strong></dd>
        <Target c={c} />
      </dl>
      <Standing c={c} />
      {c.result && <Result c={c} />}
      <ErrorBox error={q.error} />
      <Withdraw c={c} />
      <div className="filters right">
        <Link to={`/commands?id=${encodeURIComponent(c.id)}`} onClick={close}>Open the command</Link>
        <Button ref={last} variant="default" onClick={close}>Close</Button>
      </div>
    </div>
  );
}
