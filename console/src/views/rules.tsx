// SPDX-License-Identifier: Apache-2.0
import { Switch, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { Link } from 'react-router-dom';
import { get } from '../api/client';
import type { Rule } from '../api/schema';
import { num } from '../lib/format';
import { Empty, ErrorBox, Page, Panel, SeverityTag, Waiting } from '../ui/basics';
import { RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';

const RANK: Record<string, number> = { informational: 0, low: 1, medium: 2, high: 3, critical: 4 };
const columns: Column<Rule>[] = [
  { header: 'Severity', id: 'severity', accessorFn: (r) => RANK[r.severity ?? ''] ?? -1, size: 100, cell: (c) => <SeverityTag severity={c.row.original.severity} /> },
  { header: 'Title', id: 'title', accessorKey: 'title', size: 380, meta: { grow: true }, cell: (c) => <RawCell value={c.getValue()} /> },
  { header: 'Id', id: 'id', accessorKey: 'id', size: 300, cell: (c) => <RawCell value={c.getValue()} mono /> },
  { header: 'Version', id: 'version', accessorKey: 'version', size: 80, meta: { right: true }, cell: (c) => <RawCell value={c.getValue()} /> },
  { header: 'Enabled', id: 'enabled', accessorKey: 'enabled', size: 90,
    cell: (c) => <span className={`tag ${c.row.original.enabled ? 'good' : 'off'}`}>{c.row.original.enabled ? 'enabled' : 'disabled'}</span> },
  { header: 'Alerts, 7 days', id: 'alerts_7d', accessorKey: 'alerts_7d', size: 120, meta: { right: true },
    cell: (c) =>
      c.row.original.alerts_7d > 0 ? (
        <Link to={`/alerts?${new URLSearchParams({ rule: c.row.original.id, range: '7d' }).toString()}`}>{num(c.row.original.alerts_7d)}</Link>
      ) : (
        <span className="dim">0</span>
      ) },
];

export default function Rules() {
  const [text, setText] = useState('');
  const [fired, setFired] = useState(false);
  const q = useInfiniteQuery({
    queryKey: ['rules'],
    queryFn: ({ pageParam, signal }) => get('/rules', { query: { limit: 1000, cursor: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next ?? undefined,
  });
  const { hasNextPage, isFetching, fetchNextPage } = q;
  useEffect(() => {
    // All of them: a few thousand at most, so that sorting and searching are exact.
    if (hasNextPage && !isFetching) {
      void fetchNextPage();
    }
  }, [hasNextPage, isFetching, fetchNextPage]);
  const all = useMemo(() => q.data?.pages.flatMap((p) => p.items) ?? [], [q.data]);
  const rows = useMemo(() => {
    const t = text.toLowerCase();
    return all.filter((r) => (!fired || r.alerts_7d > 0) && (!t || `${r.title} ${r.id}`.toLowerCase().includes(t)));
  }, [all, text, fired]);
  return (
    <Page name="Rules" title="Rules" fill>
      <div className="filters">
        <TextInput aria-label="Title or id" placeholder="Title or id" data-filter w={260} value={text} onChange={(e) => setText(e.currentTarget.value)} />
        <Switch label="Only those that fired" checked={fired} onChange={(e) => setFired(e.currentTarget.checked)} />
      </div>
      <ErrorBox error={q.error} retry={() => void q.refetch()} />
      <Panel fill>
        {q.isPending ? (
          <div className="body"><Waiting /></div>
        ) : (
          <DataTable label="Rules" rows={rows} columns={columns} id={(r) => r.id} sortable
            empty={<Empty title={all.length ? 'No rule matches' : 'No rules are stored'}>Rules are added and published with wedr-server rules.</Empty>} />
        )}
        <div className="foot"><span>{num(rows.length)} of {num(all.length)} rules</span></div>
      </Panel>
    </Page>
  );
}
