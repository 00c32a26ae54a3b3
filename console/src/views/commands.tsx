// SPDX-License-Identifier: Apache-2.0
import { Drawer, Select } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'react-router-dom';
import { get } from '../api/client';
import type { Command, CommandType } from '../api/schema';
import { num } from '../lib/format';
import { useFilters } from '../lib/hooks';
import { textOf } from '../lib/hostile';
import { Ago, Copy, Empty, ErrorBox, Page, Panel, Waiting } from '../ui/basics';
import { CommandTag, Result, STATE_NAMES, Standing, TYPES, Target, Times, isOpen, resultLine, typeName, useCommand } from '../ui/command';
import { HostSelect } from '../ui/hostselect';
import { Raw, RawCell } from '../ui/raw';
import { Withdraw } from '../ui/send';
import { DataTable, type Column } from '../ui/table';

const OPEN_MS = 2000;
const QUIET_MS = 15_000;

const columns: Column<Command>[] = [
  { header: 'State', id: 'state', size: 104, cell: (c) => <CommandTag state={c.row.original.state} /> },
  { header: 'When', id: 'created', size: 100, cell: (c) => <Ago at={c.row.original.created} /> },
  { header: 'Endpoint', id: 'hostname', size: 150, cell: (c) => (
    <Link to={`/endpoints/${encodeURIComponent(c.row.original.endpoint_id)}`}><RawCell value={c.row.original.hostname || c.row.original.endpoint_id} /></Link>
  ) },
  { header: 'What', id: 'type', size: 140, cell: (c) => <RawCell value={typeName(c.row.original.type)} /> },
  { header: 'PID', id: 'pid', size: 84, meta: { right: true }, cell: (c) => <RawCell value={c.row.original.payload?.pid} mono /> },
  { header: 'By', id: 'created_by', size: 110, cell: (c) => <RawCell value={c.row.original.created_by} /> },
  { header: 'Reason', id: 'reason', size: 180, meta: { grow: true }, cell: (c) => <RawCell value={c.row.original.reason} /> },
  { header: 'What the agent answered', id: 'result', size: 260, meta: { grow: true }, cell: (c) => <RawCell value={resultLine(c.row.original)} /> },
];

/** People write which alert it was about: the way back to it. */
function Reason({ text }: { text: string }) {
  const alert = /^alert ([1-9]\d{0,18})\b/i.exec(text)?.[1];
  return <><Raw value={text} most={500} /> {alert && <Link to={`/alerts/${alert}`}>Open alert {alert}</Link>}</>;
}

function Detail({ c }: { c: Command }) {
  return (
    <div className="stack">
      <Standing c={c} />
      <Withdraw c={c} />
      <dl className="facts">
        <dt>Endpoint</dt>
        <dd><Link to={`/endpoints/${encodeURIComponent(c.endpoint_id)}`}><Raw value={c.hostname || c.endpoint_id} most={80} /></Link></dd>
        <Target c={c} lead />
        <dt>Sent by</dt><dd><Raw value={c.created_by} /></dd>
        <dt>Reason</dt><dd><Reason text={c.reason} /></dd>
        <Times c={c} />
        <dt>Counter</dt><dd><Raw value={c.counter} mono /></dd>
        <dt>Id</dt><dd className="filters"><code>{c.id}</code><Copy text={c.id} label="Copy id" /></dd>
      </dl>
      <h3 className="part">What the agent answered</h3>
      <Result c={c} />
    </div>
  );
}

function CommandDrawer({ id, close }: { id: string; close: () => void }) {
  const q = useCommand(id);
  const c = id ? q.data : undefined;
  return (
    <Drawer opened={id !== ''} onClose={close} position="right" size={560} withOverlay={false} trapFocus={false} returnFocus
      title={<strong>{c ? <Raw value={typeName(c.type)} most={64} /> : 'Command'}</strong>}>
      {id && q.isPending && <Waiting rows={5} />}
      <ErrorBox error={q.error} retry={() => void q.refetch()} />
      {c && <Detail key={c.id} c={c} />}
    </Drawer>
  );
}

export default function Commands() {
  const [filters, change] = useFilters();
  const query = {
    state: STATE_NAMES.find((s) => s === filters.state), type: (Object.keys(TYPES) as CommandType[]).find((t) => t === filters.type),
    endpoint: filters.endpoint,
  };
  const list = useInfiniteQuery({
    queryKey: ['commands', 'list', query],
    queryFn: ({ pageParam, signal }) => get('/commands', { query: { ...query, limit: 200, cursor: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next ?? undefined,
    placeholderData: (old) => old,
    refetchInterval: (q) => (q.state.data?.pages.some((p) => p.items.some(isOpen)) ? OPEN_MS : QUIET_MS),
  });
  const rows = useMemo(() => list.data?.pages.flatMap((p) => p.items) ?? [], [list.data]);
  const id = textOf(filters.id);
  const filtered = Boolean(query.state || query.type || query.endpoint);
  return (
    <Page name="Commands" title="Commands" fill>
      <div className="filters">
        <Select aria-label="State" placeholder="Any state" clearable w={140} data-filter value={query.state ?? null} data={STATE_NAMES}
          onChange={(v) => change({ state: v })} />
        <Select aria-label="Type" placeholder="Any type" clearable w={170} value={query.type ?? null} onChange={(v) => change({ type: v })}
          data={Object.entries(TYPES).map(([value, t]) => ({ value, label: t.name }))} />
        <HostSelect value={filters.endpoint ?? null} onChange={(v) => change({ endpoint: v })} />
      </div>
      <ErrorBox error={list.error} retry={() => void list.refetch()} />
      <Panel fill>
        {list.isPending ? (
          <div className="body"><Waiting rows={10} /></div>
        ) : (
          <DataTable label="Commands" rows={rows} columns={columns} id={(c) => c.id} open={(c) => change({ id: c.id })} chosen={id || null}
            more={() => { if (list.hasNextPage && !list.isFetching) { void list.fetchNextPage(); } }}
            empty={
              <Empty title={filtered ? 'No command matches' : 'No endpoint was told to do anything'}>
                {filtered ? <Link to="/commands">Take the filters away</Link> : 'Those who may respond send commands from a process, an alert or an endpoint.'}
              </Empty>
            } />
        )}
        <div className="foot"><span>{num(rows.length)}{list.hasNextPage ? ' and more' : ''} commands</span><span className="sp">newest first</span></div>
      </Panel>
      <CommandDrawer id={id} close={() => change({ id: null })} />
    </Page>
  );
}
