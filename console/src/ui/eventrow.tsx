// SPDX-License-Identifier: Apache-2.0
// What a stored event says in one line, and all of it in a drawer.
import { Button, Drawer, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router-dom';
import { get } from '../api/client';
import type { Event as StoredEvent } from '../api/schema';
import { around } from '../lib/format';
import { textOf } from '../lib/hostile';
import { leaves, type Field } from '../lib/leaves';
import { Copy, ErrorBox, Time } from './basics';
import { Pivot, Raw } from './raw';
import { endOf, useSend, type Order } from './send';

type Obj = Record<string, unknown>;

function inner(e: Obj, ...path: string[]): unknown {
  let at: unknown = e;
  for (const p of path) {
    if (typeof at !== 'object' || at === null) {
      return undefined;
    }
    at = (at as Obj)[p];
  }
  return at;
}
export const raw = (e: Obj, name: string): unknown => inner(e, 'raw', name);
export const proc = (e: Obj, name: string): unknown => inner(e, 'process', name);

/** The endpoint that sent it, as the server knows it; never what the line says. */
export function agentOf(e: StoredEvent): string {
  return textOf(e._endpoint_id) || e._id?.split(':')[0] || '';
}
export const hostOf = (e: StoredEvent): string => textOf(e._hostname);
export const timeOf = (e: StoredEvent): string => textOf(e.ts);
export const typeOf = (e: StoredEvent): string => textOf(e.event_type);
export const keyOf = (e: StoredEvent): string => textOf(proc(e, 'key') ?? raw(e, 'process_key'));

/** Two minutes before and after, on one endpoint. */
export function huntAround(endpoint: string, ts: string): string {
  return `/hunt?${new URLSearchParams({ endpoint, ...around(ts, 120_000) }).toString()}`;
}

export function processName(e: StoredEvent): string {
  const path = textOf(proc(e, 'path') ?? raw(e, 'image_path'));
  return textOf(proc(e, 'name') ?? raw(e, 'comm')) || (path.split(/[\\/]/).pop() ?? '');
}

const listed = (value: unknown): string => (Array.isArray(value) ? value.map(textOf).join(', ') : textOf(value));

/** The most telling words of an event, by type. */
export function summary(e: StoredEvent): string {
  const t = (...names: string[]): string => names.map((n) => textOf(raw(e, n))).find((x) => x !== '') ?? '';
  switch (typeOf(e)) {
    case 'process_create':
      return t('command_line') || textOf(proc(e, 'command_line')) || t('image_path');
    case 'process_terminate':
      return `exit ${t('exit_code') || '?'}${t('signal') ? `, signal ${t('signal')}` : ''}`;
    case 'network_connect':
    case 'network_close':
      return `${t('protocol')} to ${t('dst_ip')} ${t('dst_port') && `port ${t('dst_port')}`}`;
    case 'network_accept':
      return `${t('protocol')} from ${t('src_ip')} ${t('src_port') && `port ${t('src_port')}`}`;
    case 'network_listen':
      return `${t('protocol')} on ${t('src_ip', 'dst_ip')} ${t('src_port') && `port ${t('src_port')}`}`;
    case 'dns_query':
      return [t('query_name'), listed(raw(e, 'answers'))].filter(Boolean).join(' → ');
    case 'file_rename':
      return `${t('source_path')} → ${t('target_path')}`;
    case 'telemetry_loss':
      return `${t('lost')} of ${t('stream')} lost: ${t('reason')}`;
    case 'alert':
      return t('rule_title', 'message', 'rule_id');
    default:
      return (
        t('target_path', 'image_path', 'key_path', 'name', 'reason', 'message') ||
        textOf(e.raw).slice(0, 300)
      );
  }
}

/** The column that holds what stands at this path. */
const COLUMN: Record<string, string> = {
  'process.pid': 'pid', 'process.ppid': 'ppid', 'process.key': 'process_key', 'process.name': 'process_name',
  'process.path': 'process_path', 'raw.image_path': 'process_path', 'raw.parent_pid': 'ppid',
  'raw.query_name': 'dns_name', 'raw.dst_ip': 'remote_ip', 'raw.dst_port': 'remote_port', 'raw.key_path': 'target_path',
};
export function columnOf(path: string, columns: Set<string>): string | null {
  const name = COLUMN[path] ?? path.replace(/^(raw|process)\./, '');
  return columns.has(name) ? name : null;
}

const TOLD_TWICE = new Set(['pid', 'parent_pid', 'process_key', 'parent_key', 'image_path', 'command_line', 'user', 'uid', 'comm']);
const PIPELINE = /^(_|(module|source|kind|event_version|seq|drop_count|trunc_count|stream|epoch)$)/;

/** Its fields: what happened, the process, then how it came here; values that the line says twice once. */
function ordered(event: unknown): Field[] {
  const all = leaves(event);
  const known = new Map(all.map((f) => [f.path, textOf(f.value)]));
  const twice = (path: string): boolean => {
    const name = path.slice(4);
    const own = { parent_pid: 'ppid', process_key: 'key', image_path: 'path', comm: 'name' }[name] ?? name;
    return path.startsWith('raw.') && TOLD_TWICE.has(name) && known.get(path) === known.get(`process.${own}`);
  };
  const rank = (path: string): number => (PIPELINE.test(path) ? 3 : path.startsWith('process.') ? 1 : path.startsWith('raw.') ? 2 : 0);
  return all.filter((f) => !twice(f.path)).sort((a, b) => rank(a.path) - rank(b.path));
}

export function EventFields({
  event,
  columns,
  onFilter,
}: {
  event: unknown;
  columns: Set<string>;
  onFilter?: (column: string, value: string) => void;
}) {
  return (
    <dl className="facts">
      {ordered(event).map(({ path, value }) => {
        const column = columnOf(path, columns);
        return (
          <div key={path} style={{ display: 'contents' }}>
            <dt className="mono">
              <Raw value={path} most={80} />
            </dt>
            <dd>{column ? <Pivot column={column} value={value} onFilter={onFilter} /> : <Raw value={value} mono />}</dd>
          </div>
        );
      })}
    </dl>
  );
}

/** The order to end the process of an event that does not tell its end. */
function endOfEvent(e: StoredEvent): Order | null {
  const [pid, key] = proc(e, 'key') === undefined ? [raw(e, 'pid'), raw(e, 'process_key')] : [proc(e, 'pid'), proc(e, 'key')];
  return typeOf(e) === 'process_terminate' ? null : endOf(agentOf(e), pid, key);
}

/** Whose event it is: most lines name the process by its key alone. */
function Whose({ endpoint, processKey }: { endpoint: string; processKey: string }) {
  const { data } = useQuery({
    queryKey: ['process', endpoint, processKey, 1],
    queryFn: ({ signal }) => get('/endpoints/{id}/processes/{key}', { path: { id: endpoint, key: processKey }, query: { limit: 1 }, signal }),
    retry: false,
    staleTime: 60_000,
  });
  if (!data) {
    return null;
  }
  return (
    <dl className="facts">
      <dt>Process</dt>
      <dd><Raw value={data.process.command_line ?? data.process.image_path} most={300} mono /></dd>
      {data.ancestors[0] && (
        <>
          <dt>Begun by</dt>
          <dd><Raw value={data.ancestors[0].command_line ?? data.ancestors[0].image_path} most={300} mono /></dd>
        </>
      )}
    </dl>
  );
}

export function EventDrawer({
  event: given,
  close,
  columns,
  onFilter,
}: {
  event: StoredEvent | null;
  close: () => void;
  columns: Set<string>;
  onFilter?: (column: string, value: string) => void;
}) {
  // The stream names a large event and leaves it out; here somebody wants to see it.
  const whole = useQuery({
    queryKey: ['event', given?._id],
    queryFn: ({ signal }) => get('/events/{id}', { path: { id: given?._id ?? '' }, signal }),
    enabled: given?._too_large === true,
    staleTime: Infinity,
    gcTime: 0,
  });
  const event = given?._too_large ? (whole.data ?? given) : given;
  const send = useSend();
  const end = event ? endOfEvent(event) : null;
  const key = event ? keyOf(event) : '';
  const agent = event ? agentOf(event) : '';
  return (
    <>
      <Drawer
        opened={event !== null}
        closeOnEscape={!send.asking}
        onClose={close}
        position="right"
        size={620}
        withOverlay={false}
        trapFocus={false}
        returnFocus
        title={event ? <strong className="mono">{typeOf(event)}</strong> : ''}
      >
        {event && (
          <div className="stack">
            <ErrorBox error={whole.error} />
            <div className="filters">
              <Time at={timeOf(event)} />
              {agent && (
                <Link to={`/endpoints/${encodeURIComponent(agent)}`}>
                  <Raw value={hostOf(event) || agent} most={64} />
                </Link>
              )}
              {key && agent && (
                <Link to={`/endpoints/${encodeURIComponent(agent)}/processes/${encodeURIComponent(key)}`}>
                  Process tree
                </Link>
              )}
              {agent && (
                <Link to={huntAround(agent, timeOf(event))} onClick={close}>
                  Around it
                </Link>
              )}
              <Copy text={JSON.stringify(event, null, 2)} label="Copy as JSON" />
              {send.ask && end && (
                <Button variant="default" color="red" size="compact-xs" onClick={() => send.ask?.(end)}>
                  End this process
                </Button>
              )}
            </div>
            {key && agent && <Whose key={`${agent}:${key}`} endpoint={agent} processKey={key} />}
            <Tabs defaultValue="fields">
              <Tabs.List>
                <Tabs.Tab value="fields">Fields</Tabs.Tab>
                <Tabs.Tab value="json">JSON</Tabs.Tab>
              </Tabs.List>
              <Tabs.Panel value="fields" pt="sm">
                <EventFields event={event} columns={columns} onFilter={onFilter} />
              </Tabs.Panel>
              <Tabs.Panel value="json" pt="sm">
                <Raw value={JSON.stringify(event, null, 2)} most={20_000} mono />
              </Tabs.Panel>
            </Tabs>
          </div>
        )}
      </Drawer>
      {send.dialog}
    </>
  );
}
