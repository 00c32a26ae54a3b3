// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { Suspense, lazy, useState } from 'react';
import { Link } from 'react-router-dom';
import { get } from '../api/client';
import { useMay } from '../api/session';
import type { Severity } from '../api/schema';
import { bytes, num, short } from '../lib/format';
import { EnrolFirst } from '../ui/enrol';
import { Ago, Empty, ErrorBox, Page, Panel, SeverityTag, Stat, Time, Waiting } from '../ui/basics';
import { RawCell } from '../ui/raw';

const EventsChart = lazy(() => import('../ui/charts').then((m) => ({ default: m.EventsChart })));
const SEVERITIES: Severity[] = ['critical', 'high', 'medium', 'low', 'informational'];

function OpenAlerts({ open }: { open: Partial<Record<Severity, number>> }) {
  const most = Math.max(1, ...SEVERITIES.map((s) => open[s] ?? 0));
  return (
    <div className="body stack" style={{ gap: 7 }}>
      {SEVERITIES.map((s) => (
        <Link key={s} className="bars" to={`/alerts?state=new,in_progress&severity=${s}`} style={{ color: 'inherit' }}>
          <span style={{ width: 70 }}>
            <SeverityTag severity={s} />
          </span>
          <span className="track" aria-hidden="true">
            <svg width="100%" height="6" style={{ color: `var(--${s})` }}>
              <rect width={`${(100 * (open[s] ?? 0)) / most}%`} height="6" rx="3" fill="currentColor" />
            </svg>
          </span>
          <span className="num right" style={{ width: 44 }}>
            {num(open[s] ?? 0)}
          </span>
        </Link>
      ))}
    </div>
  );
}

function Newest() {
  const { data, error, isPending } = useQuery({
    queryKey: ['alerts', 'newest'],
    queryFn: ({ signal }) => get('/alerts', { query: { limit: 8 }, signal }),
    refetchInterval: 15_000,
  });
  if (error) {
    return <ErrorBox error={error} />;
  }
  if (isPending) {
    return (
      <div className="body">
        <Waiting rows={4} />
      </div>
    );
  }
  if (!data.items.length) {
    return <Empty title="No alerts yet">Rules run on the endpoints and on the server; what they find is listed here.</Empty>;
  }
  return (
    <table className="small">
      <tbody>
        {data.items.map((a) => (
          <tr key={a.id}>
            <td style={{ width: 76 }}>
              <SeverityTag severity={a.severity} />
            </td>
            <td>
              <Link to={`/alerts/${a.id}`}>
                <RawCell value={a.rule_title} />
              </Link>
            </td>
            <td className="nowrap">
              <RawCell value={a.hostname} />
            </td>
            <td className="right dim">
              <Ago at={a.ts} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export default function OverviewView() {
  const admin = useMay('admin');
  // Who enrols the first endpoint sees it through, though there is an endpoint by then.
  const [enrolling, setEnrolling] = useState(false);
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['overview'],
    queryFn: ({ signal }) => get('/overview', { signal }),
    refetchInterval: 30_000,
  });
  if (isPending || !data) {
    return (
      <Page name="Overview" title="Overview">
        {error ? <ErrorBox error={error} retry={() => void refetch()} /> : <Waiting />}
      </Page>
    );
  }
  const { endpoints, store } = data;
  if (endpoints.total === 0 || enrolling) {
    return (
      <Page name="Overview" title="Welcome">
        {admin ? (
          <EnrolFirst begun={() => setEnrolling(true)} done={() => setEnrolling(false)} />
        ) : (
          <Panel>
            <Empty title="No endpoints are enrolled, or none in your groups">
              An administrator enrols the first one, or gives you a group.
            </Empty>
          </Panel>
        )}
      </Page>
    );
  }
  const open = data.alerts.open ?? {};
  const openTotal = SEVERITIES.reduce((sum, s) => sum + (open[s] ?? 0), 0);
  const day = data.events_24h.reduce((sum, b) => sum + b.count, 0);
  return (
    <Page name="Overview" title="Overview">
      <div className="grid four">
        <Stat
          name="Endpoints"
          value={<Link to="/endpoints">{num(endpoints.total)}</Link>}
          note={
            <>
              <span>{num(endpoints.online)} online</span>
              {endpoints.degraded > 0 && <Link to="/endpoints?status=degraded">{num(endpoints.degraded)} degraded</Link>}
              {endpoints.offline > 0 && <Link to="/endpoints?status=offline">{num(endpoints.offline)} offline</Link>}
            </>
          }
        />
        <Stat name="Open alerts" value={<Link to="/alerts?state=new,in_progress">{num(openTotal)}</Link>}
          note={<span>{num((open.critical ?? 0) + (open.high ?? 0))} high or critical</span>} />
        <Stat name="Events, 24 hours" value={short(day)}
          note={
            data.losses_24h > 0 ? (
              <Link to="/integrity" style={{ color: 'var(--high)' }}>{num(data.losses_24h)} lost and counted</Link>
            ) : (
              <span>none lost</span>
            )
          } />
        <Stat name="Stored" value={short(store.events)}
          note={
            <>
              {store.bytes > 0 && <span>{bytes(store.bytes)}</span>}
              {store.oldest && <span>since <Time at={store.oldest} fraction={false} /></span>}
            </>
          } />
      </div>
      <Panel title="Events" more={<Link to="/hunt?range=24h">Hunt</Link>}>
        <div className="body">
          <Suspense fallback={<div style={{ height: 150 }} />}>
            <EventsChart buckets={data.events_24h} height={150} />
          </Suspense>
        </div>
      </Panel>
      <div className="grid wide">
        <Panel title="Newest alerts" more={<Link to="/alerts">All alerts</Link>}>
          <Newest />
        </Panel>
        <div className="grid">
          <Panel title="Open by severity">
            <OpenAlerts open={open} />
          </Panel>
          <Panel title="Rules that fired most" more={<Link to="/rules">Rules</Link>}>
            {data.top_rules.length ? (
              <table className="small">
                <tbody>
                  {data.top_rules.map((r) => (
                    <tr key={r.rule_id}>
                      <td>
                        <Link to={`/alerts?${new URLSearchParams({ rule: r.rule_id }).toString()}`}>
                          <RawCell value={r.rule_title || r.rule_id} />
                        </Link>
                      </td>
                      <td className="right num">{num(r.alerts)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            ) : (
              <Empty title="None fired" />
            )}
          </Panel>
        </div>
      </div>
    </Page>
  );
}
