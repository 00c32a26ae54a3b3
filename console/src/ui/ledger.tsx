// SPDX-License-Identifier: Apache-2.0
// produced = stored + expired + lost + missing, per stream and epoch.
import type { ReactNode } from 'react';
import { Link } from 'react-router-dom';
import type { LedgerRow } from '../api/schema';
import { num } from '../lib/format';
import { Ago, Empty } from './basics';
import { RawCell } from './raw';
import { DataTable, type Column } from './table';

function Epoch({ state, since }: { state: string; since?: string | null }) {
  const look = state === 'closed' ? 'off' : state === 'open' ? 'good' : 'warn';
  return (
    <>
      <span className={`tag ${look}`}>{state}</span>
      {since && <span className="dim"> <Ago at={since} /></span>}
    </>
  );
}

const count = (name: keyof LedgerRow, header: string, bad?: string): Column<LedgerRow> => ({
  header, id: String(name), accessorKey: name, size: name === 'in_flight' ? 100 : 86, meta: { right: true },
  cell: (c) => {
    const n = Number(c.getValue() ?? 0);
    return bad && n !== 0 ? <strong style={{ color: `var(--${bad})` }}>{num(n)}</strong> : num(n);
  },
});

const host: Column<LedgerRow> = {
  header: 'Endpoint', id: 'hostname', accessorKey: 'hostname', size: 150,
  cell: (c) => (
    <Link to={`/endpoints/${c.row.original.endpoint_id}?tab=ledger`}>
      <RawCell value={c.row.original.hostname || c.row.original.endpoint_id} />
    </Link>
  ),
};

const columns: Column<LedgerRow>[] = [
  { header: 'Stream', id: 'stream', accessorKey: 'stream', size: 142, cell: (c) => <RawCell value={c.getValue()} mono /> },
  { header: 'Epoch', id: 'epoch', accessorKey: 'epoch', size: 138, cell: (c) => <RawCell value={c.getValue()} mono /> },
  { header: 'State', id: 'state', accessorKey: 'state', size: 120,
    cell: (c) => <Epoch state={c.row.original.state} since={c.row.original.unknown_since} /> },
  count('produced', 'Produced'),
  count('stored', 'Stored'),
  count('in_flight', 'On the way'),
  count('expired', 'Expired'),
  count('lost', 'Lost', 'medium'),
  count('missing', 'Missing', 'critical'),
  { header: 'Lost because', id: 'losses', size: 170, meta: { grow: true }, enableSorting: false,
    cell: (c) => (
      <RawCell value={(c.row.original.losses ?? []).map((l) => `${l.reason} ${num(l.lost)}`).join(', ')} />
    ) },
];

export function LedgerTable({ rows, withHost, fit, more, empty }: { rows: LedgerRow[]; withHost: boolean; fit?: boolean; more?: () => void; empty?: ReactNode }) {
  return (
    <DataTable label="Ledger" rows={rows} columns={withHost ? [host, ...columns] : columns} sortable fit={fit} more={more}
      id={(r) => `${r.endpoint_id}:${r.epoch}:${r.stream}`}
      empty={empty || <Empty title="No records yet">The ledger begins with the first batch of an endpoint.</Empty>} />
  );
}

/** The sum that must hold, in one line. What is on the way is no part of it, and a row with too many makes up for no other.
 * Nothing is good before all rows are there. */
export function LedgerSum({ rows, whole }: { rows: LedgerRow[]; whole: boolean }) {
  const sum = (k: 'produced' | 'stored' | 'expired' | 'lost' | 'missing') => rows.reduce((s, r) => s + Number(r[k] ?? 0), 0);
  const missing = rows.reduce((s, r) => s + Math.max(0, Number(r.missing ?? 0)), 0);
  return (
    <div className="filters num" role="status">
      <span><strong>{num(sum('produced'))}</strong> produced</span>
      <span className="dim">=</span>
      <span><strong>{num(sum('stored'))}</strong> stored</span>
      <span className="dim">+</span>
      <span><strong>{num(sum('expired'))}</strong> expired</span>
      <span className="dim">+</span>
      <span><strong>{num(sum('lost'))}</strong> lost</span>
      <span className="dim">+</span>
      <span><strong>{num(sum('missing'))}</strong> missing</span>
      {(whole || missing > 0) && (
        <span className={`tag ${missing > 0 ? 'critical' : 'good'}`}>
          {missing > 0 ? `${num(missing)} unaccounted for` : 'every record accounted for'}
        </span>
      )}
      {!whole && rows.length > 0 && <span className="dim">of the first {num(rows.length)} rows</span>}
    </div>
  );
}
