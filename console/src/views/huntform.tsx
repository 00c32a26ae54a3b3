// SPDX-License-Identifier: Apache-2.0
// Hunting by form: a time, an endpoint, a type, part of the line, and any column. All of it stands in the address.
import { Button, Pill, Select, TextInput } from '@mantine/core';
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, lazy, useEffect, useMemo, useState } from 'react';
import { Link } from 'react-router-dom';
import { get, type Got } from '../api/client';
import type { Event as StoredEvent } from '../api/schema';
import { histogram as countedOver } from '../lib/buckets';
import { useColumns } from '../lib/columns';
import { micros, num } from '../lib/format';
import { flat } from '../lib/hostile';
import { useFilters } from '../lib/hooks';
import { Empty, ErrorBox, Panel, Time, Waiting } from '../ui/basics';
import { EventDrawer, agentOf, hostOf, proc, processName, raw, summary, timeOf, typeOf } from '../ui/eventrow';
import { HostSelect } from '../ui/hostselect';
import { RangePicker, bounds } from '../ui/range';
import { RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';
import type { Exported } from './hunt';

const EventsChart = lazy(() => import('../ui/charts').then((m) => ({ default: m.EventsChart })));
const OWN = new Set(['mode', 'range', 'from', 'to', 'sql', 'open']);
const PAGE = 1000;
const PAGES_MOST = 10;
const overview = { queryKey: ['overview'], queryFn: ({ signal }: { signal: AbortSignal }) => get('/overview', { signal }), staleTime: 60_000 };

const columns: Column<StoredEvent>[] = [
  { header: 'Time', id: 'ts', size: 190, cell: (c) => <Time at={timeOf(c.row.original)} /> },
  { header: 'Host', id: 'host', size: 140,
    cell: (c) => (
      <Link to={`/endpoints/${encodeURIComponent(agentOf(c.row.original))}`} tabIndex={-1}>
        <RawCell value={hostOf(c.row.original) || agentOf(c.row.original).slice(0, 8)} />
      </Link>
    ) },
  { header: 'Type', id: 'type', size: 150, cell: (c) => <RawCell value={typeOf(c.row.original)} mono /> },
  { header: 'Process', id: 'process', size: 140, cell: (c) => <RawCell value={processName(c.row.original)} mono /> },
  { header: 'PID', id: 'pid', size: 74, meta: { right: true }, cell: (c) => <RawCell value={proc(c.row.original, 'pid') ?? raw(c.row.original, 'pid')} /> },
  { header: 'User', id: 'user', size: 100, cell: (c) => <RawCell value={proc(c.row.original, 'user') ?? raw(c.row.original, 'user') ?? raw(c.row.original, 'uid')} /> },
  { header: 'What', id: 'what', size: 480, meta: { grow: true }, cell: (c) => <RawCell value={summary(c.row.original)} mono /> },
];

/** The suffixes of a column's parameter, and what they say. */
const HOW = [
  { value: '', label: 'is' },
  { value: '.not', label: 'is not' },
  { value: '.like', label: 'is like' },
  { value: '.min', label: 'at least' },
  { value: '.max', label: 'at most' },
];
const SIGNS: Record<string, string> = { '': '=', '.not': '≠', '.like': '~', '.min': '≥', '.max': '≤' };

/** "pid.not" as "pid ≠". */
function sayFilter(name: string): string {
  const how = HOW.find((h) => h.value !== '' && name.endsWith(h.value))?.value ?? '';
  return `${name.slice(0, name.length - how.length)} ${SIGNS[how]}`;
}

function AddFilter({ names, add }: { names: string[]; add: (column: string, value: string) => void }) {
  const [column, setColumn] = useState<string | null>(null);
  const [how, setHow] = useState('');
  const [value, setValue] = useState('');
  const submit = () => {
    if (column && value) {
      add(column + how, value);
      setColumn(null);
      setValue('');
    }
  };
  return (
    <>
      <Select aria-label="Column" placeholder="Column" searchable clearable w={130} data={names} value={column} onChange={setColumn} />
      <Select aria-label="How the column compares" w={92} data={HOW} value={how} allowDeselect={false} disabled={!column} onChange={(v) => setHow(v ?? '')} />
      <TextInput aria-label="Value of the column" placeholder={how === '.like' ? '/usr/*' : 'value'} w={120} value={value} disabled={!column}
        onChange={(e) => setValue(e.currentTarget.value)} onKeyDown={(e) => e.key === 'Enter' && submit()} />
      <Button variant="default" onClick={submit} disabled={!column || !value}>Add</Button>
    </>
  );
}

export function FormHunt({ onAsked }: { onAsked: (w: Exported) => void }) {
  const [filters, change] = useFilters();
  const known = useColumns();
  const [now, setNow] = useState(Date.now);
  const [chosen, setChosen] = useState<StoredEvent | null>(null);
  const [text, setText] = useState(filters.q ?? '');
  useEffect(() => setText(filters.q ?? ''), [filters.q]);

  const extra = Object.entries(filters).filter(([k]) => !OWN.has(k) && !['endpoint', 'type', 'q'].includes(k));
  const query = useMemo(() => {
    const out: Record<string, string> = {};
    const time = bounds(filters, now);
    for (const [k, v] of Object.entries({ ...filters, ...time })) {
      if (v && (!OWN.has(k) || k === 'from' || k === 'to')) {
        out[k] = v;
      }
    }
    return out;
    // the filters' text decides, not the object
    // eslint-disable-next-line
  }, [JSON.stringify(filters), now]);

  const events = useInfiniteQuery({
    queryKey: ['hunt', query],
    queryFn: async ({ pageParam, signal }) => {
      const items: StoredEvent[] = [];
      let next: string | null = pageParam.cursor;
      for (let i = 0; i < pageParam.pages && next !== null; i++) {
        const page: Got<'/events'> = await get('/events', { query: { ...query, limit: PAGE, cursor: next }, signal });
        items.push(...page.items);
        next = page.next;
      }
      return { items, next };
    },
    initialPageParam: { cursor: '', pages: 1 },
    // Who reads on wants more: the more is there, the more is fetched at once, and the fewer times the table is made anew.
    getNextPageParam: (p, all) => (p.next ? { cursor: p.next, pages: Math.min(PAGES_MOST, all.length) } : undefined),
    staleTime: Infinity,
    structuralSharing: false, // stored events do not change: a hundred thousand need no comparing at each page
  });
  const client = useQueryClient();
  const histogram = useQuery({
    queryKey: ['histogram', query],
    queryFn: ({ signal }) => countedOver(query, async () => (await client.fetchQuery(overview)).store.oldest, signal),
    staleTime: Infinity,
  });
  useEffect(() => onAsked({ filter: query }), [onAsked, query]);
  const rows = useMemo(() => events.data?.pages.flatMap((p) => p.items) ?? [], [events.data]);
  const buckets = histogram.data?.buckets ?? [];
  const over = histogram.data && { interval_s: histogram.data.interval_s, from: query.from, to: query.to ?? micros(now) };
  const total = buckets.reduce((s, b) => s + b.count, 0);
  const filter = (column: string, value: string) => {
    change({ [column]: value });
    setChosen(null);
  };
  const names = useMemo(
    () => known.list.map((c) => c.name).filter((n) => !['ts', 'raw', 'event_type', 'agent_id'].includes(n)),
    [known.list],
  );
  return (
    <>
      <div className="filters">
        <RangePicker value={filters} onChange={(r) => { setNow(Date.now()); change({ range: r.range, from: r.from, to: r.to }); }} />
        <TextInput aria-label="Part of the event" placeholder="Part of the event" data-filter w={180} value={text}
          onChange={(e) => setText(e.currentTarget.value)} onBlur={() => text !== (filters.q ?? '') && change({ q: text })}
          onKeyDown={(e) => e.key === 'Enter' && change({ q: text })} />
        <HostSelect value={filters.endpoint ?? null} onChange={(v) => change({ endpoint: v })} />
        <Select aria-label="Type of event" placeholder="All types" searchable clearable w={150} data={known.types} value={filters.type ?? null}
          onChange={(v) => change({ type: v })} />
        <AddFilter names={names} add={filter} />
        <Button onClick={() => { setNow(Date.now()); }} loading={events.isFetching && !events.isFetchingNextPage}>Search</Button>
      </div>
      {extra.length > 0 && (
        <div className="filters">
          {extra.map(([k, v]) => (
            <Pill key={k} withRemoveButton onRemove={() => change({ [k]: null })}
              removeButtonProps={{ 'aria-label': `Remove the filter ${k}`, 'aria-hidden': false, tabIndex: 0 }}>
              {sayFilter(k)} {flat(v, 80)}
            </Pill>
          ))}
          <button type="button" className="plain link" onClick={() => change(Object.fromEntries(extra.map(([k]) => [k, null])))}>
            Clear
          </button>
        </div>
      )}
      <ErrorBox error={events.error ?? histogram.error} retry={() => { void events.refetch(); void histogram.refetch(); }} />
      <Panel>
        <div className="body" style={{ paddingBottom: 4 }}>
          <Suspense fallback={<div style={{ height: 96 }} />}>
            {histogram.data ? (
              <EventsChart buckets={buckets} height={96} over={over}
                onPick={(ts) => {
                  const from = Date.parse(ts);
                  if (!Number.isNaN(from)) {
                    change({ range: null, from: micros(from), to: micros(from + (histogram.data.interval_s || 60) * 1000) });
                  }
                }} />
            ) : (
              <div style={{ height: 96 }} />
            )}
          </Suspense>
        </div>
      </Panel>
      <Panel fill>
        {events.isPending ? (
          <div className="body"><Waiting rows={10} /></div>
        ) : (
          <DataTable label="Events" rows={rows} columns={columns} id={(e) => e._id} open={setChosen} chosen={chosen?._id ?? null}
            total={Math.max(total, rows.length)}
            more={() => { if (events.hasNextPage && !events.isFetching && !events.error) { void events.fetchNextPage(); } }}
            empty={<Empty title="No event matches">Widen the time or take a filter away.</Empty>} />
        )}
        <div className="foot" role="status">
          <span>
            {num(rows.length)}{events.hasNextPage ? ` of ${total ? num(total) : 'more'}` : ''} events
            {events.isFetchingNextPage ? ', reading on' : ''}
          </span>
          <span className="sp">newest first</span>
        </div>
      </Panel>
      <EventDrawer event={chosen} close={() => setChosen(null)} columns={known.names} onFilter={filter} />
    </>
  );
}
