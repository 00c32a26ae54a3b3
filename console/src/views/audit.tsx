// SPDX-License-Identifier: Apache-2.0
import { Drawer, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { get } from '../api/client';
import type { AuditEntry } from '../api/schema';
import { num } from '../lib/format';
import { useFilters } from '../lib/hooks';
import { Empty, ErrorBox, Page, Panel, Time, Waiting } from '../ui/basics';
import { RangePicker, bounds } from '../ui/range';
import { Raw, RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';

const columns: Column<AuditEntry>[] = [
  { header: 'Time', id: 'ts', size: 190, cell: (c) => <Time at={c.row.original.ts} /> },
  { header: 'Who', id: 'actor', size: 140, cell: (c) => <RawCell value={c.row.original.actor} /> },
  { header: 'As', id: 'actor_kind', size: 90, cell: (c) => <RawCell value={c.row.original.actor_kind} /> },
  { header: 'From', id: 'address', size: 130, cell: (c) => <RawCell value={c.row.original.address} mono /> },
  { header: 'What', id: 'action', size: 180, cell: (c) => <RawCell value={c.row.original.action} mono /> },
  { header: 'On', id: 'object', size: 180, cell: (c) => <RawCell value={c.row.original.object} mono /> },
  { header: 'Detail', id: 'detail', size: 340, meta: { grow: true }, cell: (c) => <RawCell value={c.row.original.detail} /> },
];

export default function Audit() {
  const [filters, change] = useFilters();
  const [now, setNow] = useState(Date.now);
  const [open, setOpen] = useState<AuditEntry | null>(null);
  const query = useMemo(
    () => ({ actor: filters.actor, action: filters.action, ...bounds({ ...filters, range: filters.range ?? 'all' }, now) }),
    // eslint-disable-next-line
    [JSON.stringify(filters), now],
  );
  const q = useInfiniteQuery({
    queryKey: ['audit', query],
    queryFn: ({ pageParam, signal }) => get('/audit', { query: { ...query, limit: 500, cursor: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next ?? undefined,
  });
  const rows = useMemo(() => q.data?.pages.flatMap((p) => p.items) ?? [], [q.data]);
  const field = (name: 'actor' | 'action', label: string) => (
    <TextInput aria-label={label} placeholder={label} w={180} defaultValue={filters[name] ?? ''} data-filter={name === 'actor' ? '' : undefined}
      onBlur={(e) => e.currentTarget.value !== (filters[name] ?? '') && change({ [name]: e.currentTarget.value })}
      onKeyDown={(e) => e.key === 'Enter' && change({ [name]: e.currentTarget.value })} />
  );
  return (
    <Page name="Audit" title="Audit log" fill>
      <div className="filters">
        {field('actor', 'Who')}
        {field('action', 'What, such as user.')}
        <RangePicker value={{ ...filters, range: filters.range ?? 'all' }} onChange={(r) => { setNow(Date.now()); change({ range: r.range, from: r.from, to: r.to }); }} />
      </div>
      <ErrorBox error={q.error} retry={() => void q.refetch()} />
      <Panel fill>
        {q.isPending ? <div className="body"><Waiting rows={10} /></div> : (
          <DataTable label="Audit log" rows={rows} columns={columns} id={(a) => String(a.id)} open={setOpen} chosen={open ? String(open.id) : null}
            more={() => { if (q.hasNextPage && !q.isFetching) { void q.fetchNextPage(); } }} empty={<Empty title="No entry matches" />} />
        )}
        <div className="foot"><span>{num(rows.length)}{q.hasNextPage ? ' and more' : ''} entries</span><span className="sp">each entry's hash covers the one before</span></div>
      </Panel>
      <Drawer opened={open !== null} onClose={() => setOpen(null)} position="right" size={560} withOverlay={false} trapFocus={false} title="Audit entry">
        <dl className="facts">
          {open && Object.entries(open).map(([k, v]) => (
            <div key={k} style={{ display: 'contents' }}><dt>{k}</dt><dd><Raw value={v} mono /></dd></div>
          ))}
        </dl>
      </Drawer>
    </Page>
  );
}
