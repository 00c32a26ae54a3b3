// SPDX-License-Identifier: Apache-2.0
// What was produced, what of it is stored, and what is known to be lost.
import { Switch, Tabs } from '@mantine/core';
import { Link } from 'react-router-dom';
import { get } from '../api/client';
import type { CoverageGap } from '../api/schema';
import { num } from '../lib/format';
import { useFilters } from '../lib/hooks';
import { usePages } from '../lib/pages';
import { Empty, ErrorBox, Page, Time, Waiting } from '../ui/basics';
import { LedgerSum, LedgerTable } from '../ui/ledger';
import { RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';

const gapColumns: Column<CoverageGap>[] = [
  { header: 'Endpoint', id: 'hostname', accessorKey: 'hostname', size: 200,
    cell: (c) => <Link to={`/endpoints/${c.row.original.endpoint_id}`}><RawCell value={c.getValue()} /></Link> },
  { header: 'Stream', id: 'stream', accessorKey: 'stream', size: 160, cell: (c) => <RawCell value={c.getValue()} mono /> },
  { header: 'From', id: 'from', accessorKey: 'from', size: 190, cell: (c) => <Time at={c.row.original.from} /> },
  { header: 'To', id: 'to', accessorKey: 'to', size: 190, cell: (c) => <Time at={c.row.original.to} /> },
  { header: 'Reason', id: 'reason', accessorKey: 'reason', size: 240, meta: { grow: true }, cell: (c) => <RawCell value={c.getValue()} /> },
];

export default function Integrity() {
  const [filters, change] = useFilters();
  const tab = filters.tab ?? 'ledger';
  const troubled = filters.only === 'lost';
  const ledger = usePages(['ledger'], (rq) => get('/ledger', rq), { all: troubled });
  const gaps = usePages(['gaps'], (rq) => get('/coverage-gaps', rq));
  const rows = troubled ? ledger.rows.filter((r) => r.lost > 0 || r.missing > 0 || r.state === 'cut') : ledger.rows;
  return (
    <Page name="Telemetry" title="Telemetry integrity" fill>
      <div className="filters">
        <LedgerSum rows={ledger.rows} whole={ledger.whole} />
      </div>
      <ErrorBox error={ledger.q.error ?? gaps.q.error} retry={() => { void ledger.q.refetch(); void gaps.q.refetch(); }} />
      <Tabs value={tab} onChange={(v) => change({ tab: v })} className="panel fill"
        styles={{ panel: { display: 'flex', flexDirection: 'column', flex: 1, minHeight: 0 } }}>
        <Tabs.List>
          <Tabs.Tab value="ledger">Ledger</Tabs.Tab>
          <Tabs.Tab value="gaps">Coverage gaps {gaps.rows.length > 0 && <span className="tag warn">{num(gaps.rows.length)}</span>}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="ledger">
          <div className="bar">
            <Switch label="Only with losses or a cut end" checked={troubled} onChange={(e) => change({ only: e.currentTarget.checked ? 'lost' : null })} />
          </div>
          {ledger.q.isPending || (troubled && !rows.length && !ledger.whole && !ledger.q.isError) ? (
            <div className="body"><Waiting /></div>
          ) : (
            <LedgerTable rows={rows} withHost more={ledger.more} empty={troubled && ledger.rows.length > 0 && (
              <Empty title={ledger.whole ? 'Nothing is lost, missing or cut' : 'Not all of the ledger could be read'} />
            )} />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="gaps">
          {gaps.q.isPending ? (
            <div className="body"><Waiting /></div>
          ) : (
            <DataTable label="Coverage gaps" rows={gaps.rows} columns={gapColumns} id={(g) => `${g.endpoint_id}${g.stream}${g.from}${g.reason}`}
              sortable more={gaps.more} empty={<Empty title="No gaps are known">Times in which no producer of a stream was alive are listed here.</Empty>} />
          )}
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
