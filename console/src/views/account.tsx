// SPDX-License-Identifier: Apache-2.0
import { Button, Modal, PasswordInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { call, get } from '../api/client';
import { useSession, useSessionState } from '../api/session';
import { Ago, Confirm, ErrorBox, Page, Panel, Time, Waiting } from '../ui/basics';
import { PasswordForm, TotpForm } from '../ui/credentials';
import { Raw, RawCell } from '../ui/raw';

function SecondFactor() {
  const { user } = useSession();
  const { reload } = useSessionState();
  const [removing, setRemoving] = useState(false);
  const [password, setPassword] = useState('');
  // While codes are on show, the session already says "on"; the form stays until it is done with.
  const [setting, setSetting] = useState(!user.totp);
  const remove = useMutation({
    mutationFn: () => call('DELETE', '/account/totp', { body: { password }, keepSession: true }),
    onSuccess: () => {
      setRemoving(false);
      setPassword('');
      setSetting(true);
      void reload();
    },
  });
  if (setting) {
    return <div className="body"><TotpForm done={() => { setSetting(false); void reload(); }} /></div>;
  }
  return (
    <div className="body filters">
      <span className="tag good"><span className="dot" />on</span>
      <Button variant="default" onClick={() => setRemoving(true)}>Turn off</Button>
      <Modal opened={removing} onClose={() => setRemoving(false)} title="Turn two-factor sign-in off">
        <form className="stack" onSubmit={(e) => { e.preventDefault(); remove.mutate(); }}>
          <PasswordInput label="Password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="current-password" required data-autofocus />
          <ErrorBox error={remove.error} />
          <Button type="submit" color="red.8" loading={remove.isPending}>Turn off</Button>
        </form>
      </Modal>
    </div>
  );
}

function Sessions() {
  const client = useQueryClient();
  const q = useQuery({ queryKey: ['sessions'], queryFn: ({ signal }) => get('/account/sessions', { query: { limit: 1000 }, signal }) });
  const [all, setAll] = useState(false);
  const again = () => client.invalidateQueries({ queryKey: ['sessions'] });
  const end = useMutation({ mutationFn: (id: string) => call('DELETE', '/account/sessions/{id}', { path: { id } }), onSuccess: again });
  return (
    <Panel title="Sessions" more={(q.data?.items.length ?? 0) > 1 && <button type="button" className="plain link" onClick={() => setAll(true)}>End all others</button>}>
      <ErrorBox error={q.error ?? end.error} />
      {q.isPending ? <div className="body"><Waiting rows={3} /></div> : (
        <table className="small">
          <thead><tr><th>Browser</th><th>From</th><th>Began</th><th className="nowrap">Last seen</th><th>Ends</th><th><span className="sr">Actions</span></th></tr></thead>
          <tbody>
            {q.data?.items.map((s) => (
              <tr key={s.id}>
                <td><Raw value={s.agent} most={100} /></td>
                <td className="nowrap"><RawCell value={s.address} mono /></td>
                <td><Time at={s.created} fraction={false} /></td>
                <td><Ago at={s.last_seen} /></td>
                <td><Ago at={s.expires} /></td>
                <td className="right">
                  {s.current ? <span className="tag good">this one</span> : <button type="button" className="plain link" onClick={() => end.mutate(s.id)}>End</button>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Confirm opened={all} onClose={() => setAll(false)} title="End all other sessions" action="End them"
        onConfirm={async () => { await call('DELETE', '/account/sessions'); await again(); }}>
        Whoever is signed in as you elsewhere has to sign in again.
      </Confirm>
    </Panel>
  );
}

export default function Account() {
  const { user, expires } = useSession();
  const { reload } = useSessionState();
  return (
    <Page name="Account" title="Account" actions={<Link to="/tokens">API tokens</Link>}>
      <div className="grid two" style={{ alignItems: 'start' }}>
        <div className="grid">
        <Panel title="You">
          <dl className="facts body">
            <dt>User name</dt><dd><Raw value={user.username} /></dd>
            <dt>Name</dt><dd><Raw value={user.display_name} /></dd>
            <dt>Role</dt><dd>{user.role}</dd>
            <dt>Endpoint groups</dt><dd>{user.groups === null ? 'all' : <Raw value={user.groups.join(', ')} />}</dd>
            <dt>Session ends</dt><dd><Ago at={expires} /></dd>
          </dl>
        </Panel>
        <Panel title="Two-factor sign-in"><SecondFactor /></Panel>
        </div>
        <Panel title="Password">
          <div className="body">
            <PasswordForm done={() => { notifications.show({ message: 'Password changed. Your other sessions have ended.' }); void reload(); }} />
          </div>
        </Panel>
      </div>
      <Sessions />
    </Page>
  );
}
