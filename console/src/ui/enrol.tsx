// SPDX-License-Identifier: Apache-2.0
// The way to the first endpoint: a token, the line to run there, and a look-out for its first event.
import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router-dom';
import { call, get } from '../api/client';
import { Command, ErrorBox, Panel, StatusTag, Time } from './basics';
import { RawCell } from './raw';

export function EnrolFirst({ begun, done }: { begun: () => void; done: () => void }) {
  const make = useMutation({
    mutationFn: async () =>
      (await call('POST', '/enrollment-tokens', {
        body: { uses: 1, hours: 1, group: 'default', note: 'first endpoint' },
      })).data,
    onSuccess: begun,
  });
  const endpoints = useQuery({
    queryKey: ['endpoints', 'first'],
    queryFn: ({ signal }) => get('/endpoints', { query: { limit: 1 }, signal }),
    refetchInterval: make.data ? 2000 : false,
    enabled: Boolean(make.data),
  });
  const first = endpoints.data?.items[0];
  const events = useQuery({
    queryKey: ['events', 'first', first?.id],
    queryFn: ({ signal }) => get('/events', { query: { endpoint: first?.id, limit: 1 }, signal }),
    refetchInterval: (q) => (q.state.data?.items.length ? false : 2000),
    enabled: Boolean(first),
  });
  const event = events.data?.items[0];
  return (
    <Panel>
      <div className="body" style={{ maxWidth: 760, padding: '22px 24px' }}>
        <ol className="steps">
          <li>
            <h3>Make an enrolment token</h3>
            <p className="dim" style={{ marginTop: 0 }}>It lets one endpoint in, within one hour. The endpoint checks this server by its fingerprint first.</p>
            {!make.data && (
              <Button onClick={() => make.mutate()} loading={make.isPending}>
                Make a token
              </Button>
            )}
            <ErrorBox error={make.error} />
          </li>
          <li>
            <h3>Run this on the endpoint, as root</h3>
            {make.data ? <Command text={make.data.command} /> : <p className="dim" style={{ margin: 0 }}>The command stands here once there is a token.</p>}
          </li>
          <li>
            <h3>Wait for its first event</h3>
            {!make.data ? (
              <p className="dim" style={{ margin: 0 }}>It is shown here as soon as it is stored.</p>
            ) : !first ? (
              <span className="tag info pulse" role="status">
                <span className="dot" /> Waiting for the endpoint
              </span>
            ) : !event ? (
              <span role="status" className="filters">
                <RawCell value={first.hostname} /> <StatusTag status={first.status} />
                <span className="tag info pulse">
                  <span className="dot" /> Waiting for the first event
                </span>
              </span>
            ) : (
              <div className="stack" role="status">
                <span className="filters">
                  <span className="tag good">
                    <span className="dot" /> First event stored
                  </span>
                  <Time at={String(event.ts)} />
                  <span className="mono">
                    <RawCell value={event.event_type} />
                  </span>
                </span>
                <span className="filters">
                  <Link to={`/endpoints/${first.id}`}>Open the endpoint</Link>
                  <button type="button" className="plain link" onClick={done}>Go to the overview</button>
                </span>
              </div>
            )}
          </li>
        </ol>
      </div>
    </Panel>
  );
}
