// SPDX-License-Identifier: Apache-2.0
// From "who is there" to a view: gates first, then the frame and its routes. Every view is a chunk of its own.
import { Component, Suspense, lazy, type ReactNode } from 'react';
import { Route, Routes } from 'react-router-dom';
import { useMay, useSessionState } from './api/session';
import { Empty, Page, Waiting } from './ui/basics';
import { OfflineBanner, Shell } from './ui/shell';
import { SignIn } from './views/signin';

const Setup = lazy(() => import('./views/setup'));
const Overview = lazy(() => import('./views/overview'));
const Endpoints = lazy(() => import('./views/endpoints'));
const EndpointView = lazy(() => import('./views/endpoint'));
const Hunt = lazy(() => import('./views/hunt'));
const ProcessView = lazy(() => import('./views/process'));
const Alerts = lazy(() => import('./views/alerts'));
const AlertView = lazy(() => import('./views/alert'));
const Integrity = lazy(() => import('./views/integrity'));
const Rules = lazy(() => import('./views/rules'));
const Users = lazy(() => import('./views/users'));
const Tokens = lazy(() => import('./views/tokens'));
const Enrolment = lazy(() => import('./views/enrolment'));
const Audit = lazy(() => import('./views/audit'));
const SettingsView = lazy(() => import('./views/settings'));
const Account = lazy(() => import('./views/account'));

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
