// SPDX-License-Identifier: Apache-2.0
import { Select, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { Link, useNavigate } from 'react-router-dom';
import { get } from '../api/client';
import { useMay } from '../api/session';
import type { Endpoint, EndpointStatus } from '../api/schema';
import { num } from '../lib/format';
import { useFilters } from '../lib/hooks';
import { Ago, Empty, ErrorBox, Page, Panel, StatusTag, Waiting } from '../ui/basics';
import { RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';

const columns: Column<Endpoint>[] = [
  { header: 'Status', id: 'status', accessorKey: 'status', size: 110, cell: (c) => <StatusTag status={c.row.original.status} /> },
  {
    header: 'Host', id: 'hostname', accessorKey: 'hostname', size: 220, meta: { grow: true },
    cell: (c) => (
      <Link to={`/endpoints/${c.row.original.id}`}>
        <RawCell value={c.row.original.hostname} />
      </Link>
    ),
  },
  { header: 'System', id: 'os', accessorFn: (e) => e.os_version || e.os, size: 210, cell: (c) => <RawCell value={c.getValue()} /> },
  { header: 'Group', id: 'group', accessorKey: 'group', size: 110, cell: (c) => <RawCell value={c.getValue()} /> },
  { header: 'Profile', id: 'profile', accessorKey: 'profile', size: 100, cell: (c) => <RawCell value={c.getValue()} /> },
  { header: 'Sensor', id: 'sensor', accessorFn: (e) => e.sensor?.source ?? '', size: 120,
    cell: (c) => {
      const missing = c.row.original.sensor?.hooks_missing?.length ?? 0;
      return (
        <>
          <RawCell value={c.getValue()} />
          {missing > 0 && <span className="tag warn" style={{ marginLeft: 6 }}>{missing} off</span>}
        </>
      );
    } },
  { header: 'Agent', id: 'agent_version', accessorKey: 'agent_version', size: 80, cell: (c) => <RawCell value={c.getValue()} /> },
  { header: 'Address', id: 'address', accessorKey: 'address', size: 130, cell: (c) => <RawCell value={c.getValue()} mono /> },
  { header: 'Last seen', id: 'last_seen', accessorKey: 'last_seen', size: 110, cell: (c) => <Ago at={c.row.original.last_seen} /> },
  { header: 'Health', id: 'health', accessorFn: (e) => e.health?.length ?? 0, size: 200,
    cell: (c) => (c.row.original.health?.length ? <RawCell value={c.row.original.health.join('; ')} /> : <span className="dim">–</span>) },
];

const STATUSES: EndpointStatus[] = ['online', 'degraded', 'offline', 'never', 'revoked'];

export default function Endpoints() {
  const navigate = useNavigate();
  const admin = useMay('admin');
  const [filters, change] = useFilters();
  const [q, setQ] = useState(filters.q ?? '');
  const [settled] = useDebouncedValue(q, 250);
  const inAddress = filters.q ?? '';
  useEffect(() => {
    if (settled !== inAddress) {
      change({ q: settled });
    }
    // only what was typed goes into the address
    // eslint-disable-next-line
  }, [settled]);
  const query = { q: filters.q, group: filters.group, status: STATUSES.find((s) => s === filters.status), limit: 500 };
  const list = useInfiniteQuery({
    queryKey: ['endpoints', query],
    queryFn: ({ pageParam, signal }) => get('/endpoints', { query: { ...query, cursor: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next ?? undefined,
    refetchInterval: 15_000,
  });
  const rows = useMemo(() => list.data?.pages.flatMap((p) => p.items) ?? [], [list.data]);
  const filtered = Boolean(filters.q || filters.group || filters.status);
  return (
    <Page name="Endpoints" title="Endpoints" fill
      actions={admin && <Link to="/enrolment">Enrol an endpoint</Link>}>
      <div className="filters">
        <TextInput aria-label="Host name or id" placeholder="Host name or id" data-filter value={q} w={240}
          onChange={(e) => setQ(e.currentTarget.value)} />
        <Select aria-label="Status" placeholder="Any status" clearable w={150} value={filters.status ?? null}
          data={STATUSES} onChange={(v) => change({ status: v })} />
        <TextInput aria-label="Group" placeholder="Group" w={140} defaultValue={filters.group ?? ''}
          onBlur={(e) => change({ group: e.currentTarget.value })}
          onKeyDown={(e) => e.key === 'Enter' && change({ group: e.currentTarget.value })} />
      </div>
      <ErrorBox error={list.error} retry={() => void list.refetch()} />
      <Panel fill>
        {list.isPending ? (
          <div className="body"><Waiting /></div>
        ) : (
          <DataTable label="Endpoints" rows={rows} columns={columns} id={(e) => e.id} sortable={!list.hasNextPage}
            open={(e) => navigate(`/endpoints/${e.id}`)}
            more={() => { if (list.hasNextPage && !list.isFetchingNextPage) { void list.fetchNextPage(); } }}
            empty={
              <Empty title={filtered ? 'No endpoint matches' : 'No endpoints yet'}>
                {filtered ? 'Change the filters.' : admin ? <Link to="/enrolment">Enrol the first one</Link> : 'None are in your groups.'}
              </Empty>
            } />
        )}
        <div className="foot">
          <span>{num(rows.length)}{list.hasNextPage ? ' and more' : ''} endpoints</span>
        </div>
      </Panel>
    </Page>
  );
}
