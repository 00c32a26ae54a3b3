// SPDX-License-Identifier: Apache-2.0
import { Button, Modal, Tabs, TextInput, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, lazy, useState } from 'react';
import { Link, useParams } from 'react-router-dom';
import { Problem, call, get, type Answer } from '../api/client';
import { useMay } from '../api/session';
import type { EndpointDetail } from '../api/schema';
import { useColumns } from '../lib/columns';
import { bytes, duration, micros, num } from '../lib/format';
import { useFilters } from '../lib/hooks';
import { leaves } from '../lib/leaves';
import { usePages } from '../lib/pages';
import { Ago, Confirm, Copy, Empty, ErrorBox, Page, Panel, SeverityTag, StatusTag, Time, Waiting } from '../ui/basics';
import { LedgerSum, LedgerTable } from '../ui/ledger';
import { ENDPOINT_TYPES, TYPES } from '../ui/command';
import { Raw, RawCell } from '../ui/raw';
import { useSend } from '../ui/send';
import { Tail } from '../ui/tail';
import { Told } from '../ui/told';

const EventsChart = lazy(() => import('../ui/charts').then((m) => ({ default: m.EventsChart })));

function Hooks({ endpoint }: { endpoint: EndpointDetail }) {
  const s = endpoint.sensor;
  if (!s) {
    return <Empty title="The sensor has not reported yet" />;
  }
  const missing = s.hooks_missing ?? [];
  const live = s.hooks_live ?? [];
  return (
    <div className="body stack">
      <dl className="facts">
        <dt>Source</dt>
        <dd><Raw value={s.source} /></dd>
        <dt>Level</dt>
        <dd><Raw value={s.level} /></dd>
      </dl>
      {missing.length > 0 && (
        <div>
          <div className="dim">Not watched on this system</div>
          <div className="filters" style={{ gap: 5 }}>
            {missing.map((h) => <span className="tag warn" key={h}><RawCell value={h} /></span>)}
          </div>
        </div>
      )}
      <div>
        <div className="dim">{num(live.length)} hooks live</div>
        <div className="filters" style={{ gap: 5 }}>
          {live.map((h) => <span className="tag good" key={h}><RawCell value={h} /></span>)}
        </div>
      </div>
    </div>
  );
}

/** A figure of a heartbeat as people read it; its name says what it counts. */
function figure(path: string, value: unknown): unknown {
  if (typeof value !== 'number') {
    return value;
  }
  return /bytes(_max)?$/.test(path) ? bytes(value) : path.endsWith('_ms') && value >= 60_000 ? duration(value) : num(value);
}

function Summary({ e }: { e: EndpointDetail }) {
  return (
    <div className="grid">
    <Lately id={e.id} />
    <div className="grid two" style={{ alignItems: 'start' }}>
      <div className="grid">
      <Panel title="Endpoint">
        <dl className="facts body">
          <dt>Id</dt>
          <dd className="filters"><code>{e.id}</code><Copy text={e.id} label="Copy id" /></dd>
          <dt>System</dt>
          <dd><Raw value={e.os_version || e.os} /></dd>
          <dt>Agent</dt>
          <dd><Raw value={e.agent_version} /></dd>
          <dt>Group</dt>
          <dd><Raw value={e.group} /></dd>
          <dt>Rule profile</dt>
          <dd><Raw value={e.profile} /> <span className="dim">bundle <Raw value={e.rules_serial} mono /></span></dd>
          <dt>Address</dt>
          <dd><Raw value={e.address} mono /></dd>
          <dt>Enrolled</dt>
          <dd><Time at={e.enrolled} fraction={false} /></dd>
          <dt>Last seen</dt>
          <dd><Ago at={e.last_seen} /></dd>
          {e.note && (<><dt>Note</dt><dd><Raw value={e.note} /></dd></>)}
        </dl>
      </Panel>
      <Panel title="Sensor"><Hooks endpoint={e} /></Panel>
      </div>
      <div className="grid">
      <Panel title="Health">
        {e.health?.length ? (
          <ul className="body" style={{ margin: 0, paddingLeft: 28 }}>
            {e.health.map((h) => <li key={h}><Raw value={h} /></li>)}
          </ul>
        ) : (
          <Empty title={e.last_seen ? 'Nothing is wrong' : 'It has not reported yet'} />
        )}
      </Panel>
      <Told endpoint={e.id} />
      <Panel title="Last heartbeat">
        {e.metrics && Object.keys(e.metrics).length ? (
          <dl className="facts body num">
            {leaves(e.metrics).slice(0, 200).map((f) => (
              <div key={f.path} style={{ display: 'contents' }}>
                <dt className="mono"><Raw value={f.path} most={80} /></dt>
                <dd><Raw value={figure(f.path, f.value)} mono /></dd>
              </div>
            ))}
          </dl>
        ) : (
          <Empty title="No figures" />
        )}
      </Panel>
      </div>
    </div>
    </div>
  );
}

/** Whether it is quiet here or not: its events of a day and its newest alerts. */
function Lately({ id }: { id: string }) {
  const histogram = useQuery({
    queryKey: ['histogram', 'endpoint', id],
    queryFn: async ({ signal }) => {
      const from = micros(Date.now() - 86400e3);
      return { from, ...(await get('/events/histogram', { query: { endpoint: id, from }, signal })) };
    },
    refetchInterval: 60_000,
  });
  const alerts = useQuery({
    queryKey: ['alerts', 'endpoint', id],
    queryFn: ({ signal }) => get('/alerts', { query: { endpoint: id, state: 'new,in_progress', limit: 6 }, signal }),
  });
  return (
    <div className="grid two">
      <Panel title="Events, 24 hours" more={<Link to={`/hunt?endpoint=${id}&range=24h`}>Hunt</Link>}>
        <ErrorBox error={histogram.error} />
        <div className="body">
          <Suspense fallback={<div style={{ height: 120 }} />}>
            {histogram.data ? <EventsChart buckets={histogram.data.buckets} over={histogram.data} height={120} /> : <div style={{ height: 120 }} />}
          </Suspense>
        </div>
      </Panel>
      <Panel title="Open alerts" more={<Link to={`/alerts?endpoint=${id}&state=new,in_progress`}>All</Link>}>
        <ErrorBox error={alerts.error} />
        {alerts.isPending && <div className="body"><Waiting rows={3} /></div>}
        {alerts.data && (alerts.data.items.length ? (
          <table className="small">
            <tbody>
              {alerts.data.items.map((a) => (
                <tr key={a.id}>
                  <td style={{ width: 76 }}><SeverityTag severity={a.severity} /></td>
                  <td><Link to={`/alerts/${a.id}`}><Raw value={a.rule_title || a.rule_id} most={100} /></Link></td>
                  <td className="right dim"><Ago at={a.ts} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : (
          <Empty title="None" />
        ))}
      </Panel>
    </div>
  );
}

function Ledger({ id }: { id: string }) {
  const ledger = usePages(['ledger', id], (rq) => get('/endpoints/{id}/ledger', { path: { id }, ...rq }), { all: true, again: true });
  const gaps = useQuery({
    queryKey: ['gaps', id],
    queryFn: ({ signal }) => get('/coverage-gaps', { query: { endpoint: id, limit: 1000 }, signal }),
  });
  const own = gaps.data?.items ?? [];
  return (
    <div className="stack">
      <ErrorBox error={ledger.q.error} retry={() => void ledger.q.refetch()} />
      <Panel>
        <div className="bar"><LedgerSum rows={ledger.rows} whole={ledger.whole} /></div>
        {ledger.q.isPending ? <div className="body"><Waiting /></div> : <LedgerTable rows={ledger.rows} withHost={false} fit />}
      </Panel>
      <Panel title="Coverage gaps" more={gaps.data?.next ? <Link to="/integrity?tab=gaps">the newest {num(own.length)} of more</Link> : undefined}>
        <ErrorBox error={gaps.error} />
        {own.length ? (
          <table className="small">
            <thead><tr><th>From</th><th>To</th><th>Stream</th><th>Reason</th></tr></thead>
            <tbody>
              {own.map((g) => (
                <tr key={`${g.stream}${g.from}`}>
                  <td><Time at={g.from} fraction={false} /></td>
                  <td><Time at={g.to} fraction={false} /></td>
                  <td><RawCell value={g.stream} mono /></td>
                  <td><Raw value={g.reason} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : gaps.isPending || gaps.error ? null : (
          <Empty title="None known">Times in which no producer of a stream was alive are listed here.</Empty>
        )}
      </Panel>
    </div>
  );
}

function Edit({ endpoint, close }: { endpoint: Answer<EndpointDetail>; close: () => void }) {
  const client = useQueryClient();
  const [group, setGroup] = useState(endpoint.data.group);
  const [note, setNote] = useState(endpoint.data.note ?? '');
  const save = useMutation({
    mutationFn: () => call('PATCH', '/endpoints/{id}', { path: { id: endpoint.data.id }, body: { group, note }, ifMatch: endpoint.etag }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['endpoint', endpoint.data.id] });
      close();
    },
  });
  const stale = save.error instanceof Problem && save.error.status === 412;
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
      <TextInput label="Group" value={group} onChange={(e) => setGroup(e.currentTarget.value)} required maxLength={64}
        description="People with groups see the endpoints of theirs alone" />
      <Textarea label="Note" value={note} onChange={(e) => setNote(e.currentTarget.value)} maxLength={1000} autosize minRows={2} />
      {stale ? (
        <div className="problem" role="alert">Somebody changed it meanwhile. Close this and look again.</div>
      ) : (
        <ErrorBox error={save.error} />
      )}
      <div className="filters right">
        <Button variant="default" onClick={close}>Cancel</Button>
        <Button type="submit" loading={save.isPending}>Save</Button>
      </div>
    </form>
  );
}

export default function EndpointView() {
  const { id = '' } = useParams();
  const admin = useMay('admin');
  const client = useQueryClient();
  const [filters, change] = useFilters();
  const columns = useColumns();
  const [editing, setEditing] = useState(false);
  const [revoking, setRevoking] = useState(false);
  const send = useSend();
  const q = useQuery({
    queryKey: ['endpoint', id],
    queryFn: ({ signal }) => call('GET', '/endpoints/{id}', { path: { id }, signal }),
    refetchInterval: 10_000,
  });
  if (!q.data) {
    return (
      <Page name="Endpoint" title="Endpoint" before={<Link to="/endpoints">Endpoints</Link>}>
        {q.error ? <ErrorBox error={q.error} retry={() => void q.refetch()} /> : <Waiting />}
      </Page>
    );
  }
  const e = q.data.data;
  const tab = filters.tab ?? 'summary';
  return (
    <Page name="Endpoint" fill={tab === 'live'} before={<Link to="/endpoints">Endpoints</Link>} title={<Raw value={e.hostname || e.id} most={80} />}
      actions={
        <>
          <Link to={`/hunt?endpoint=${e.id}&range=24h`}>Hunt here</Link>
          <Link to={`/alerts?endpoint=${e.id}`}>Alerts</Link>
          {send.ask && e.status !== 'revoked' && ENDPOINT_TYPES.map((type) => (
            <Button key={type} variant="default" onClick={() => send.ask?.({ endpoint: id, type })}>{TYPES[type].name}</Button>
          ))}
          {admin && <Button variant="default" onClick={() => setEditing(true)}>Edit</Button>}
          {admin && e.status !== 'revoked' && <Button variant="default" color="red" onClick={() => setRevoking(true)}>Revoke</Button>}
        </>
      }>
      <div className="filters"><StatusTag status={e.status} /><span className="dim">last seen <Ago at={e.last_seen} /></span></div>
      <ErrorBox error={q.error} />
      <Tabs value={tab} onChange={(v) => change({ tab: v })} className={tab === 'live' ? 'panel fill' : undefined}
        styles={tab === 'live' ? { panel: { display: 'flex', flexDirection: 'column', flex: 1, minHeight: 0 } } : undefined}>
        <Tabs.List>
          <Tabs.Tab value="summary">Summary</Tabs.Tab>
          <Tabs.Tab value="ledger">Ledger</Tabs.Tab>
          <Tabs.Tab value="live">Live events</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="summary" pt="sm"><Summary e={e} /></Tabs.Panel>
        <Tabs.Panel value="ledger" pt="sm"><Ledger id={id} /></Tabs.Panel>
        <Tabs.Panel value="live" className="panel-live"><Tail endpoint={id} types={columns.types} columns={columns.names} /></Tabs.Panel>
      </Tabs>
      <Modal opened={editing} onClose={() => setEditing(false)} title="Edit endpoint">
        <Edit endpoint={q.data} close={() => setEditing(false)} />
      </Modal>
      <Confirm opened={revoking} onClose={() => setRevoking(false)} title="Revoke this endpoint" action="Revoke"
        onConfirm={async () => {
          await call('PATCH', '/endpoints/{id}', { path: { id }, body: { revoked: true }, ifMatch: q.data.etag });
          notifications.show({ message: 'The endpoint is revoked.' });
          await client.invalidateQueries({ queryKey: ['endpoint', id] });
        }}>
        Its certificate is refused from now on: it can send nothing more until it is enrolled again. What it sent stays.
      </Confirm>
      {send.dialog}
    </Page>
  );
}
