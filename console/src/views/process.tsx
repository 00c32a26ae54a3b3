// SPDX-License-Identifier: Apache-2.0
// A process among its ancestors and children, and what it did.
import { ActionIcon, Button } from '@mantine/core';
import { IconCircleX } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link, useParams } from 'react-router-dom';
import { get } from '../api/client';
import type { Event as StoredEvent, Process, ProcessTree } from '../api/schema';
import { useColumns } from '../lib/columns';
import { num } from '../lib/format';
import { flat, textOf } from '../lib/hostile';
import { ErrorBox, Empty, Page, Panel, Time, Waiting } from '../ui/basics';
import { EventDrawer, summary, timeOf, typeOf } from '../ui/eventrow';
import { Pivot, Raw, RawCell } from '../ui/raw';
import { endOf, useSend, type Order } from '../ui/send';
import { DataTable, type Column } from '../ui/table';
import { Told } from '../ui/told';

const base = (path: string | null): string => (path ?? '').split(/[\\/]/).pop() ?? '';

type AskEnd = (o: Order) => void;

function Node({ endpoint, p, here = false, ask }: { endpoint: string; p: Process; here?: boolean; ask?: AskEnd }) {
  const name = base(textOf(p.image_path)) || 'unknown program';
  const end = ask && !p.ended ? endOf(endpoint, p.pid, p.process_key) : null;
  return (
    <div className={here ? 'node here' : 'node'} aria-current={here ? 'true' : undefined}>
      {here ? (
        <strong className="mono"><RawCell value={name} /></strong>
      ) : (
        <Link className="mono" to={`/endpoints/${encodeURIComponent(endpoint)}/processes/${encodeURIComponent(p.process_key ?? '')}`}><RawCell value={name} /></Link>
      )}
      <span className="dim num nowrap">{p.pid ?? '–'}</span>
      <span className="cmd dim mono"><RawCell value={p.command_line ?? p.image_path} /></span>
      {p.user && <span className="dim nowrap"><RawCell value={p.user} /></span>}
      {p.started && <span className="dim nowrap"><Time at={p.started} fraction={false} /></span>}
      {ask && (
        <span className="act">
          {end && (
            <ActionIcon size={18} aria-label={`End process ${flat(name, 40)} ${p.pid}`} title="End this process" onClick={() => ask(end)}>
              <IconCircleX size={15} />
            </ActionIcon>
          )}
        </span>
      )}
    </div>
  );
}

export function Tree({ endpoint, tree, children, hasMore, more, ask }: {
  endpoint: string; tree: ProcessTree; children: Process[]; hasMore: boolean; more?: () => void; ask?: AskEnd;
}) {
  // From the oldest ancestor down to the process, then its children.
  const line = [...tree.ancestors].reverse();
  const level = (i: number): React.ReactNode => {
    const p = line[i];
    if (p) {
      return <ul><li><Node endpoint={endpoint} p={p} ask={ask} />{level(i + 1)}</li></ul>;
    }
    return (
      <ul>
        <li>
          <Node endpoint={endpoint} p={tree.process} here ask={ask} />
          {children.length > 0 && (
            <ul>
              {children.map((c) => <li key={c.process_key}><Node endpoint={endpoint} p={c} ask={ask} /></li>)}
              {hasMore && (
                <li><button type="button" className="plain link node" onClick={more}>Show more children</button></li>
              )}
              {tree.more && !hasMore && <li className="dim">and more, which are not shown here</li>}
            </ul>
          )}
        </li>
      </ul>
    );
  };
  return <div className="tree">{level(0)}</div>;
}

const columns: Column<StoredEvent>[] = [
  { header: 'Time', id: 'ts', size: 190, cell: (c) => <Time at={timeOf(c.row.original)} /> },
  { header: 'Type', id: 'type', size: 160, cell: (c) => <RawCell value={typeOf(c.row.original)} mono /> },
  { header: 'What', id: 'what', size: 600, meta: { grow: true }, cell: (c) => <RawCell value={summary(c.row.original)} mono /> },
];

export default function ProcessView() {
  const { id = '', key = '' } = useParams();
  const path = { id, key };
  const known = useColumns();
  const [chosen, setChosen] = useState<StoredEvent | null>(null);
  const [asked, setAsked] = useState(100);
  const tree = useQuery({
    queryKey: ['process', id, key, asked],
    queryFn: ({ signal }) => get('/endpoints/{id}/processes/{key}', { path, query: { limit: asked }, signal }),
    placeholderData: (old) => old,
  });
  const timeline = useInfiniteQuery({
    queryKey: ['timeline', id, key],
    queryFn: ({ pageParam, signal }) => get('/endpoints/{id}/processes/{key}/timeline', { path, query: { limit: 500, cursor: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next ?? undefined,
  });
  const rows = useMemo(() => timeline.data?.pages.flatMap((p) => p.items) ?? [], [timeline.data]);
  const p = tree.data?.process;
  const send = useSend();
  const end = p && !p.ended ? endOf(id, p.pid, p.process_key) : null;
  return (
    <Page name="Process" fill before={<Link to={`/endpoints/${encodeURIComponent(id)}`}>Endpoint</Link>}
      title={p ? <><Raw value={base(textOf(p.image_path)) || 'Process'} most={80} /> <span className="dim num">{p.pid}</span></> : 'Process'}
      actions={send.ask && end && <Button variant="default" color="red" onClick={() => send.ask?.(end)}>End this process</Button>}>
      <ErrorBox error={tree.error} retry={() => void tree.refetch()} />
      {tree.isPending && <Waiting rows={4} />}
      {p && tree.data && (
        <div className="grid wide" style={{ maxHeight: '46%', overflow: 'auto', flex: 'none' }}>
          <Panel title="Tree">
            <Tree endpoint={id} tree={tree.data} hasMore={tree.data.more && asked < 1000} more={() => setAsked(1000)} ask={send.ask}>
              {tree.data.children}
            </Tree>
          </Panel>
          <div className="grid">
            <Panel title="Process">
              <dl className="facts body">
                <dt>Program</dt><dd><Pivot column="process_path" value={p.image_path} /></dd>
                <dt>Command line</dt><dd><Pivot column="command_line" value={p.command_line} /></dd>
                <dt>User</dt><dd><Pivot column="user" value={p.user} /></dd>
                <dt>Started</dt><dd><Time at={p.started} /></dd>
                <dt>Ended</dt><dd>{p.ended ? <Time at={p.ended} /> : <span className="dim">not seen to end</span>}</dd>
                <dt>Key</dt><dd><Pivot column="process_key" value={p.process_key} /></dd>
              </dl>
            </Panel>
            {p.process_key && <Told endpoint={id} process={p.process_key} />}
          </div>
        </div>
      )}
      <Panel title="Timeline" fill more={<span className="dim">oldest first</span>}>
        <ErrorBox error={timeline.error} />
        {timeline.isPending ? (
          <div className="body"><Waiting /></div>
        ) : (
          <DataTable label="Timeline" rows={rows} columns={columns} id={(e) => e._id} open={setChosen} chosen={chosen?._id ?? null}
            more={() => { if (timeline.hasNextPage && !timeline.isFetching) { void timeline.fetchNextPage(); } }}
            empty={<Empty title="No stored event names this process">They may have expired.</Empty>} />
        )}
        <div className="foot"><span>{num(rows.length)}{timeline.hasNextPage ? ' and more' : ''} events</span></div>
      </Panel>
      <EventDrawer event={chosen} close={() => setChosen(null)} columns={known.names} />
      {send.dialog}
    </Page>
  );
}
