// SPDX-License-Identifier: Apache-2.0
import { Button, Menu, Select, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useNavigate } from 'react-router-dom';
import { call, get, type Sent } from '../api/client';
import { useMay, useSession } from '../api/session';
import type { Alert, Resolution } from '../api/schema';
import { num, plural } from '../lib/format';
import { useFilters } from '../lib/hooks';
import { Ago, Empty, ErrorBox, Page, Panel, SeverityTag, StateTag, Waiting, sayProblem } from '../ui/basics';
import { HostSelect } from '../ui/hostselect';
import { useLive } from '../ui/live';
import { RangePicker, bounds } from '../ui/range';
import { RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';

const BULK_MOST = 500;
export const RESOLUTIONS: { value: NonNullable<Resolution>; label: string }[] = [
  { value: 'true_positive', label: 'True positive' },
  { value: 'false_positive', label: 'False positive' },
  { value: 'benign', label: 'Benign' },
  { value: 'duplicate', label: 'Duplicate' },
];

type Change = Omit<Sent<'POST', '/alerts/bulk'>, 'ids'>;

function Bulk({ ids, done }: { ids: string[]; done: () => void }) {
  const { user } = useSession();
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: async (c: Change) => (await call('POST', '/alerts/bulk', { body: { ids: ids.slice(0, BULK_MOST), ...c } })).data,
    onSuccess: (d) => {
      notifications.show({ message: `${plural(d.changed, 'alert')} changed.` });
      void client.invalidateQueries({ queryKey: ['alerts'] });
      void client.invalidateQueries({ queryKey: ['overview'] });
      done();
    },
    onError: (e) => notifications.show({ color: 'red', message: sayProblem(e) }),
  });
  return (
    <div className="bar" role="region" aria-label="Chosen alerts">
      <strong>{plural(ids.length, 'alert')} chosen{ids.length > BULK_MOST ? `, the first ${BULK_MOST} are changed` : ''}</strong>
      <Button variant="default" loading={change.isPending} onClick={() => change.mutate({ assignee: user.username })}>Assign to me</Button>
      <Button variant="default" loading={change.isPending} onClick={() => change.mutate({ state: 'in_progress' })}>In progress</Button>
      <Menu withinPortal>
        <Menu.Target><Button variant="default" loading={change.isPending}>Close as…</Button></Menu.Target>
        <Menu.Dropdown>
          {RESOLUTIONS.map((r) => (
            <Menu.Item key={r.value} onClick={() => change.mutate({ state: 'closed', resolution: r.value })}>{r.label}</Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <button type="button" className="plain link" onClick={done}>Choose none</button>
    </div>
  );
}

function columnsFor(analyst: boolean, chosen: Set<string>, toggle: (id: string, range: boolean) => void, all: () => void, allOn: boolean): Column<Alert>[] {
  const check: Column<Alert> = {
    id: 'check', size: 36, enableSorting: false, enableResizing: false, meta: { narrow: true },
    header: () => <input type="checkbox" aria-label="Choose all that are listed" checked={allOn} onChange={all} />,
    cell: (c) => (
      <input type="checkbox" aria-label={`Choose alert ${c.row.original.id}`} checked={chosen.has(c.row.original.id)}
        onClick={(e) => toggle(c.row.original.id, e.shiftKey)} onChange={() => undefined} />
    ),
  };
  const rest: Column<Alert>[] = [
    { header: 'Severity', id: 'severity', size: 88, cell: (c) => <SeverityTag severity={c.row.original.severity} /> },
    { header: 'When', id: 'ts', size: 100, cell: (c) => <Ago at={c.row.original.ts} /> },
    { header: 'Alert', id: 'rule_title', size: 240, meta: { grow: true },
      cell: (c) => (
        <Link to={`/alerts/${c.row.original.id}`}><RawCell value={c.row.original.rule_title || c.row.original.rule_id} /></Link>
      ) },
    { header: 'Endpoint', id: 'hostname', size: 120, cell: (c) => <RawCell value={c.row.original.hostname} /> },
    { header: 'Command line', id: 'command_line', size: 200, meta: { grow: true }, cell: (c) => <RawCell value={c.row.original.command_line ?? c.row.original.image_path} mono /> },
    { header: 'User', id: 'user', size: 86, cell: (c) => <RawCell value={c.row.original.user} /> },
    { header: 'State', id: 'state', size: 110, cell: (c) => <StateTag state={c.row.original.state} /> },
    { header: 'Assignee', id: 'assignee', size: 88, cell: (c) => <RawCell value={c.row.original.assignee} /> },
    { header: 'Times', id: 'suppressed', size: 64, meta: { right: true }, cell: (c) => num(1 + Number(c.row.original.suppressed ?? 0)) },
    { header: 'Notes', id: 'comments', size: 66, meta: { right: true }, cell: (c) => (c.row.original.comments_count ? num(c.row.original.comments_count) : '') },
  ];
  return analyst ? [check, ...rest] : rest;
}

export default function Alerts() {
  const navigate = useNavigate();
  const analyst = useMay('analyst');
  const { user } = useSession();
  const [filters, change] = useFilters();
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const anchor = useRef<string | null>(null);
  const [text, setText] = useState(filters.q ?? '');
  const [now, setNow] = useState(Date.now);
  useEffect(() => setText(filters.q ?? ''), [filters.q]);
  const query = useMemo(
    () => ({
      state: filters.state, severity: filters.severity, endpoint: filters.endpoint, rule: filters.rule,
      assignee: filters.assignee, q: filters.q, ...bounds({ ...filters, range: filters.range ?? 'all' }, now),
    }),
    // eslint-disable-next-line
    [JSON.stringify(filters), now],
  );
  const list = useInfiniteQuery({
    queryKey: ['alerts', 'list', query],
    queryFn: ({ pageParam, signal }) => get('/alerts', { query: { ...query, limit: 500, cursor: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next ?? undefined,
    placeholderData: (old) => old,
  });
  const live = useLive();
  const rows = useMemo(() => list.data?.pages.flatMap((p) => p.items) ?? [], [list.data]);
  const listed = useMemo(() => new Set(rows.map((r) => r.id)), [rows]);
  const ids = useMemo(() => [...chosen].filter((id) => listed.has(id)), [chosen, listed]);
  const allOn = rows.length > 0 && ids.length === rows.length;
  const columns = useMemo(() => {
    const toggle = (id: string, range: boolean) =>
      setChosen((old) => {
        const next = new Set(old);
        const on = !next.has(id);
        const a = rows.findIndex((r) => r.id === anchor.current);
        const b = rows.findIndex((r) => r.id === id);
        const span = range && a >= 0 ? rows.slice(Math.min(a, b), Math.max(a, b) + 1) : rows.slice(b, b + 1);
        span.forEach((r) => (on ? next.add(r.id) : next.delete(r.id)));
        anchor.current = id;
        return next;
      });
    const all = () => setChosen(allOn ? new Set() : new Set(rows.map((r) => r.id)));
    return columnsFor(analyst, chosen, toggle, all, allOn);
  }, [analyst, chosen, rows, allOn]);
  const filtered = Object.keys(filters).length > 0;
  return (
    <Page name="Alerts" title="Alerts" fill
      actions={<span className={`tag ${live === 'live' ? 'good' : 'off'}`}><span className="dot" />{live === 'live' ? 'live' : 'not live'}</span>}>
      <div className="filters">
        <TextInput aria-label="Part of the alert" placeholder="Title, message, command line" data-filter w={230} value={text}
          onChange={(e) => setText(e.currentTarget.value)} onBlur={() => text !== (filters.q ?? '') && change({ q: text })}
          onKeyDown={(e) => e.key === 'Enter' && change({ q: text })} />
        <Select aria-label="State" placeholder="Any state" clearable w={130} value={filters.state ?? null} onChange={(v) => change({ state: v })}
          data={[{ value: 'new,in_progress', label: 'Open' }, { value: 'new', label: 'New' }, { value: 'in_progress', label: 'In progress' }, { value: 'closed', label: 'Closed' }]} />
        <Select aria-label="Severity" placeholder="Any severity" clearable w={140} value={filters.severity ?? null} onChange={(v) => change({ severity: v })}
          data={['critical', 'high', 'medium', 'low', 'informational']} />
        <HostSelect value={filters.endpoint ?? null} onChange={(v) => change({ endpoint: v })} />
        <Select aria-label="Assignee" placeholder="Anybody's" clearable w={130} value={filters.assignee ?? null} onChange={(v) => change({ assignee: v })}
          data={[{ value: user.username, label: 'Mine' }, ...(filters.assignee && filters.assignee !== user.username ? [filters.assignee] : [])]} />
        <RangePicker value={{ ...filters, range: filters.range ?? 'all' }} onChange={(r) => { setNow(Date.now()); change({ range: r.range, from: r.from, to: r.to }); }} />
        {filters.rule && (
          <button type="button" className="plain tag" onClick={() => change({ rule: null })}>rule <RawCell value={filters.rule} /> ×</button>
        )}
      </div>
      <ErrorBox error={list.error} retry={() => void list.refetch()} />
      <Panel fill>
        {analyst && ids.length > 0 && <Bulk ids={ids} done={() => setChosen(new Set())} />}
        {list.isPending ? (
          <div className="body"><Waiting rows={10} /></div>
        ) : (
          <DataTable label="Alerts" rows={rows} columns={columns} id={(a) => a.id} open={(a) => navigate(`/alerts/${a.id}`)}
            more={() => { if (list.hasNextPage && !list.isFetching) { void list.fetchNextPage(); } }}
            empty={
              <Empty title={filtered ? 'No alert matches' : 'No alerts'}>
                {filtered ? <Link to="/alerts">Take the filters away</Link> : 'What rules find is listed here as it happens.'}
              </Empty>
            } />
        )}
        <div className="foot" role="status"><span>{num(rows.length)}{list.hasNextPage ? ' and more' : ''} alerts</span><span className="sp">newest first</span></div>
      </Panel>
    </Page>
  );
}
