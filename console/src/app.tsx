// SPDX-License-Identifier: Apache-2.0
// From "who is there" to a view: gates first, then the frame and its routes. Every view is a chunk of its own.
import { Component, Suspense, lazy, useEffect, type ComponentType, type ReactNode } from 'react';
import { Route, Routes } from 'react-router-dom';
import { untilThere } from './api/client';
import { useMay, useSessionState } from './api/session';
import { Empty, Page, Waiting } from './ui/basics';
import { OfflineBanner, Shell } from './ui/shell';
import { SignIn } from './views/signin';

type View = { default: ComponentType };
const loaders: (() => Promise<View>)[] = [];
const here = location.pathname.split('/')[1] ?? '';

/**
 * A view's chunk; one that did not come because the server was away is asked for again when it is back. That of the view that the
 * address names comes while the server says who is signed in.
 */
function view(load: () => Promise<View>, path?: string) {
  loaders.push(load);
  if (path === here) {
    void load().catch(() => undefined);
  }
  return lazy(() => load().catch(() => untilThere().then(load)));
}

const Setup = view(() => import('./views/setup'));
const Overview = view(() => import('./views/overview'), '');
const Endpoints = view(() => import('./views/endpoints'), 'endpoints');
const EndpointView = view(() => import('./views/endpoint'));
const Hunt = view(() => import('./views/hunt'), 'hunt');
const ProcessView = view(() => import('./views/process'));
const Alerts = view(() => import('./views/alerts'), 'alerts');
const AlertView = view(() => import('./views/alert'));
const Commands = view(() => import('./views/commands'), 'commands');
const Integrity = view(() => import('./views/integrity'));
const Rules = view(() => import('./views/rules'));
const Users = view(() => import('./views/users'));
const Tokens = view(() => import('./views/tokens'));
const Enrolment = view(() => import('./views/enrolment'));
const Audit = view(() => import('./views/audit'));
const SettingsView = view(() => import('./views/settings'));
const Account = view(() => import('./views/account'));

function Nothing() {
  return (
    <Page name="Not found" title="Not found">
      <Empty title="There is nothing at this address">
        It may have been removed, or your role or endpoint groups do not include it.
      </Empty>
    </Page>
  );
}

/** A view that breaks must not take the others along, and says so. */
class Guard extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  override render() {
    if (!this.state.error) {
      return this.props.children;
    }
    const chunk = /dynamically imported module|module script/i.test(this.state.error.message);
    return (
      <Page name="Error" title={chunk ? 'This part could not be loaded' : 'This view failed'}>
        <Empty title={chunk ? 'The server is away or was updated.' : 'An error of the console, not of your data.'}>
          <p className="mono">{this.state.error.message.slice(0, 300)}</p>
          <button type="button" className="plain link" onClick={() => location.reload()}>
            Load the page again
          </button>
        </Empty>
      </Page>
    );
  }
}

export function App() {
  const { session, loading } = useSessionState();
  const admin = useMay('admin');
  const signedIn = session !== null;
  useEffect(() => {
    // The other views, a few KiB each, while nobody waits: a click then needs no server to show the frame of a view.
    const t = signedIn ? setTimeout(() => loaders.forEach((load) => void load().catch(() => undefined)), 3000) : undefined;
    return () => clearTimeout(t);
  }, [signedIn]);
  if (loading) {
    return (
      <>
        <OfflineBanner />
        <div className="gate">
          <Waiting rows={3} />
        </div>
      </>
    );
  }
  if (!session) {
    return <SignIn />;
  }
  if (session.must_change_password || session.must_set_totp) {
    return (
      <Suspense fallback={null}>
        <Setup />
      </Suspense>
    );
  }
  return (
    <Shell>
      <Routes>
        {(
          [
            ['/', <Overview />],
            ['/endpoints', <Endpoints />],
            ['/endpoints/:id', <EndpointView />],
            ['/endpoints/:id/processes/:key', <ProcessView />],
            ['/hunt', <Hunt />],
            ['/alerts', <Alerts />],
            ['/alerts/:id', <AlertView />],
            ['/commands', <Commands />],
            ['/integrity', <Integrity />],
            ['/rules', <Rules />],
            ['/account', <Account />],
            ['/tokens', <Tokens />],
            admin && ['/users', <Users />],
            admin && ['/enrolment', <Enrolment />],
            admin && ['/audit', <Audit />],
            admin && ['/settings', <SettingsView />],
            ['*', <Nothing />],
          ] as (false | [string, ReactNode])[]
        ).map(
          (r) =>
            r && (
              <Route
                key={r[0]}
                path={r[0]}
                element={
                  <Guard key={r[0]}>
                    <Suspense
                      fallback={
                        <div className="page">
                          <Waiting />
                        </div>
                      }
                    >
                      {r[1]}
                    </Suspense>
                  </Guard>
                }
              />
            ),
        )}
      </Routes>
    </Shell>
  );
}
