// SPDX-License-Identifier: Apache-2.0
// Hunting by SQL: read-only, limited in time and memory by the server.
import { Button, Drawer, Menu, Select } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Problem, call } from '../api/client';
import { useColumns } from '../lib/columns';
import { num, plural } from '../lib/format';
import { useFilters } from '../lib/hooks';
import { Empty, ErrorBox, Panel } from '../ui/basics';
import { columnOf } from '../ui/eventrow';
import { Pivot, Raw, RawCell } from '../ui/raw';
import SqlEditor from '../ui/sqleditor';
import { DataTable, type Column } from '../ui/table';
import type { Exported } from './hunt';

const EXAMPLES: [string, string][] = [
  ['Newest process starts', "SELECT ts, hostname, process_name, command_line\nFROM events\nWHERE event_type = 'process_create'\nORDER BY ts DESC\nLIMIT 200"],
  ['Events by type', 'SELECT event_type, count(*) AS events\nFROM events\nGROUP BY event_type\nORDER BY events DESC'],
  ['Rare programs', "SELECT process_path, count(*) AS starts, count(DISTINCT agent_id) AS endpoints\nFROM events\nWHERE event_type = 'process_create'\nGROUP BY process_path\nORDER BY starts\nLIMIT 100"],
  ['Connections by process', "SELECT process_name, remote_ip, remote_port, count(*) AS n\nFROM events\nWHERE event_type = 'network_connect'\nGROUP BY 1, 2, 3\nORDER BY n DESC\nLIMIT 200"],
  ['What was lost, and why', 'SELECT * FROM ledger_loss ORDER BY lost DESC'],
];

interface Row {
  n: number;
  values: unknown[];
}

export default function SqlHunt({ onAsked }: { onAsked: (w: Exported | null) => void }) {
  const [filters, change] = useFilters();
  const known = useColumns();
  const [text, setText] = useState(filters.sql ?? EXAMPLES[0]?.[1] ?? '');
  const [limit, setLimit] = useState('1000');
  const [open, setOpen] = useState<Row | null>(null);
  const run = useMutation({
    mutationFn: async (statement: string) =>
      (await call('POST', '/events/sql', { body: { sql: statement, limit: Number(limit) } })).data,
    onSuccess: (_, statement) => onAsked({ sql: statement }),
    onError: () => onAsked(null),
  });
  const start = () => {
    const statement = text.trim();
    if (statement && !run.isPending) {
      change({ sql: statement });
      run.mutate(statement);
    }
  };
  const answer = run.data;
  const columns = useMemo<Column<Row>[]>(
    () =>
      (answer?.columns ?? []).map((c, i) => ({
        id: String(i),
        header: () => <RawCell value={c.name} />,
        accessorFn: (r) => r.values[i],
        size: Math.min(420, Math.max(90, 8 * Math.max(c.name.length + 3, ...answer!.rows.slice(0, 50).map((r) => String(r[i] ?? '').length + 1)))),
        meta: { grow: i === (answer?.columns.length ?? 0) - 1 },
        cell: (x) => <RawCell value={x.getValue()} mono />,
      })),
    [answer],
  );
  const rows = useMemo<Row[]>(() => (answer?.rows ?? []).map((values, n) => ({ n, values })), [answer]);
  const problem = run.error instanceof Problem ? run.error : null;
  const at = useMemo(
    () =>
      problem?.status === 422 && typeof problem.body.line === 'number'
        ? { line: problem.body.line, column: Number(problem.body.column ?? 1) }
        : null,
    [problem],
  );
  return (
    <>
      <SqlEditor value={text} columns={known.list} onChange={setText} onRun={start} at={at} />
      <div className="filters">
        <Button onClick={start} loading={run.isPending}>Run</Button>
        <span className="dim"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span>
        <Select aria-label="Rows at most" w={130} data={['100', '1000', '10000'].map((v) => ({ value: v, label: `${num(v)} rows` }))}
          value={limit} allowDeselect={false} onChange={(v) => setLimit(v ?? '1000')} />
        <Menu withinPortal>
          <Menu.Target><Button variant="default">Examples</Button></Menu.Target>
          <Menu.Dropdown>
            {EXAMPLES.map(([name, statement]) => <Menu.Item key={name} onClick={() => setText(statement)}>{name}</Menu.Item>)}
          </Menu.Dropdown>
        </Menu>
      </div>
      {problem && (
        <div className="problem" role="alert">
          <span>
            {at ? <strong>Line {at.line}, column {at.column}: </strong> : null}
            {problem.status === 408 ? 'The statement ran longer than the server lets it. Narrow the time or the type. ' : null}
            {problem.status === 413 ? 'The statement needs more memory than the server gives it. ' : null}
            <Raw value={problem.detail || problem.title} />
          </span>
        </div>
      )}
      {!problem && <ErrorBox error={run.error} />}
      <Panel fill>
        {answer ? (
          <DataTable label="Rows" rows={rows} columns={columns} id={(r) => String(r.n)} sortable open={setOpen}
            chosen={open ? String(open.n) : null} empty={<Empty title="No rows" />} />
        ) : (
          <Empty title={run.isPending ? 'Running' : 'Nothing was asked yet'}>
            {run.isPending ? null : 'The table events has one row per event; completion names its columns.'}
          </Empty>
        )}
        {answer && (
          <div className="foot" role="status">
            <span>{num(rows.length)} rows{answer.truncated ? ', cut: there are more' : ''}</span>
            <span className="sp num">{num(answer.elapsed_ms)} ms{answer.scanned !== undefined ? `, ${plural(answer.scanned, 'block')} looked at` : ''}{answer.parsed !== undefined ? `, ${plural(answer.parsed, 'line')} opened` : ''}</span>
          </div>
        )}
      </Panel>
      <Drawer opened={open !== null} onClose={() => setOpen(null)} position="right" size={620} withOverlay={false} trapFocus={false} title="Row">
        <dl className="facts">
          {open && answer?.columns.map((c, i) => {
            const column = columnOf(c.name, known.names);
            return (
              <div key={i} style={{ display: 'contents' }}>
                <dt className="mono"><Raw value={c.name} /></dt>
                <dd>{column && !['ts', 'raw'].includes(column) ? <Pivot column={column} value={open.values[i]} /> : <Raw value={open.values[i]} mono />}</dd>
              </div>
            );
          })}
        </dl>
      </Drawer>
    </>
  );
}
