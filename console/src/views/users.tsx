// SPDX-License-Identifier: Apache-2.0
import { Button, Menu, Modal, Select, Switch, TagsInput, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { call, get } from '../api/client';
import { useSession } from '../api/session';
import type { Role, User } from '../api/schema';
import { num } from '../lib/format';
import { Ago, Confirm, Empty, ErrorBox, Page, Panel, Waiting, sayProblem } from '../ui/basics';
import { Once } from '../ui/once';
import { RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';

const ROLES: { value: Role; label: string }[] = [
  { value: 'viewer', label: 'Viewer: reads' },
  { value: 'analyst', label: 'Analyst: also triages, SQL, export' },
  { value: 'responder', label: 'Responder: also acts on endpoints' },
  { value: 'admin', label: 'Admin: also manages' },
];

function Form({ user, done }: { user: User | null; done: (password: string | null) => void }) {
  const { user: self } = useSession();
  const [username, setUsername] = useState(user?.username ?? '');
  const [name, setName] = useState(user?.display_name ?? '');
  const [role, setRole] = useState<Role>(user?.role ?? 'viewer');
  const [some, setSome] = useState(user?.groups != null);
  const [groups, setGroups] = useState<string[]>(user?.groups ?? []);
  const [disabled, setDisabled] = useState(user?.disabled ?? false);
  const save = useMutation({
    mutationFn: async () => {
      const body = { display_name: name, role, groups: some ? groups : null };
      return user
        ? (await call('PATCH', '/users/{id}', { path: { id: user.id }, body: { ...body, disabled } })).data
        : (await call('POST', '/users', { body: { ...body, username } })).data;
    },
    onSuccess: (d) => done(d && 'password' in d ? String(d.password) : null),
  });
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
      <TextInput label="User name" value={username} onChange={(e) => setUsername(e.currentTarget.value)} disabled={user !== null} required maxLength={64}
        description={user ? undefined : 'Lower-case letters, digits, dot, dash, underscore'} pattern="[a-z0-9][a-z0-9._\-]*" data-autofocus />
      <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} maxLength={128} />
      <Select label="Role" data={ROLES} value={role} allowDeselect={false} onChange={(v) => setRole((v ?? 'viewer') as Role)} />
      <Switch label="Sees endpoints of some groups only" checked={some} onChange={(e) => setSome(e.currentTarget.checked)} />
      {some && <TagsInput label="Groups" description="Enter after each" value={groups} onChange={setGroups} maxTags={60} />}
      {user && <Switch label="Disabled: cannot sign in" checked={disabled} disabled={user.id === self.id} onChange={(e) => setDisabled(e.currentTarget.checked)} />}
      <ErrorBox error={save.error} />
      <Button type="submit" loading={save.isPending}>{user ? 'Save' : 'Make user'}</Button>
    </form>
  );
}

type Act = 'reset' | 'totp' | 'delete';
const ACTS: Record<Act, { title: string; action: string; text: string }> = {
  reset: { title: 'Reset the password', action: 'Reset', text: 'The old password stops working, sessions end, and a one-time password is shown to you.' },
  totp: { title: 'Take the second factor away', action: 'Take away', text: 'For somebody who lost phone and recovery codes. Make sure that it is really them who asks.' },
  delete: { title: 'Delete the user', action: 'Delete', text: 'Sessions and tokens end. Comments and the audit log keep the name.' },
};

function State({ u }: { u: User }) {
  if (u.disabled) {
    return <span className="tag off">disabled</span>;
  }
  if (u.locked_until && Date.parse(u.locked_until) > Date.now()) {
    return <span className="tag bad">locked</span>;
  }
  return u.must_change_password ? <span className="tag warn">new password due</span> : <span className="tag good">active</span>;
}

export default function Users() {
  const client = useQueryClient();
  const { user: self } = useSession();
  const [form, setForm] = useState<{ user: User | null } | null>(null);
  const [act, setAct] = useState<{ what: Act; user: User } | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const q = useInfiniteQuery({
    queryKey: ['users'],
    queryFn: ({ pageParam, signal }) => get('/users', { query: { limit: 500, cursor: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next ?? undefined,
  });
  const rows = useMemo(() => q.data?.pages.flatMap((p) => p.items) ?? [], [q.data]);
  const again = () => client.invalidateQueries({ queryKey: ['users'] });
  const columns: Column<User>[] = [
    { header: 'User', id: 'username', accessorKey: 'username', size: 160,
      cell: (c) => <button type="button" className="plain link" onClick={() => setForm({ user: c.row.original })}><RawCell value={c.row.original.username} /></button> },
    { header: 'Name', id: 'display_name', accessorKey: 'display_name', size: 180, meta: { grow: true }, cell: (c) => <RawCell value={c.getValue()} /> },
    { header: 'Role', id: 'role', accessorKey: 'role', size: 100 },
    { header: 'Groups', id: 'groups', accessorFn: (u) => u.groups?.join(', ') ?? '', size: 160,
      cell: (c) => (c.row.original.groups === null ? <span className="dim">all</span> : <RawCell value={c.getValue()} />) },
    { header: 'State', id: 'state', size: 140, enableSorting: false, cell: (c) => <State u={c.row.original} /> },
    { header: 'Second factor', id: 'totp', accessorKey: 'totp', size: 124,
      cell: (c) => (c.row.original.totp ? <span className="tag good">on</span> : <span className="tag off">off</span>) },
    { header: 'Last seen', id: 'last_seen', accessorFn: (u) => u.last_seen ?? '', size: 110, cell: (c) => <Ago at={c.row.original.last_seen} /> },
    { header: () => <span className="sr">Actions</span>, id: 'act', size: 90, enableSorting: false, enableResizing: false,
      cell: (c) => {
        const u = c.row.original;
        return (
          <Menu withinPortal position="bottom-end">
            <Menu.Target><button type="button" className="plain link" aria-label={`Actions for ${u.username}`}>Actions</button></Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => setForm({ user: u })}>Edit</Menu.Item>
              <Menu.Item onClick={() => setAct({ what: 'reset', user: u })}>Reset password</Menu.Item>
              {u.locked_until && (
                <Menu.Item onClick={() => {
                  call('POST', '/users/{id}/unlock', { path: { id: u.id } }).then(
                    () => { notifications.show({ message: 'Unlocked.' }); void again(); },
                    (e: unknown) => notifications.show({ color: 'red', message: sayProblem(e) }),
                  );
                }}>Unlock</Menu.Item>
              )}
              {u.totp && <Menu.Item onClick={() => setAct({ what: 'totp', user: u })}>Take second factor away</Menu.Item>}
              {u.id !== self.id && <Menu.Item color="red.8" onClick={() => setAct({ what: 'delete', user: u })}>Delete</Menu.Item>}
            </Menu.Dropdown>
          </Menu>
        );
      } },
  ];
  const words = act ? ACTS[act.what] : null;
  return (
    <Page name="Users" title="Users" fill actions={<Button onClick={() => setForm({ user: null })}>New user</Button>}>
      <ErrorBox error={q.error} retry={() => void q.refetch()} />
      <Panel fill>
        {q.isPending ? <div className="body"><Waiting /></div> : (
          <DataTable label="Users" rows={rows} columns={columns} id={(u) => u.id} sortable empty={<Empty title="No users" />} />
        )}
        <div className="foot"><span>{num(rows.length)} users</span></div>
      </Panel>
      <Modal opened={form !== null} onClose={() => setForm(null)} title={form?.user ? 'Edit user' : 'New user'}>
        <Form user={form?.user ?? null} done={(password) => { setForm(null); setSecret(password); void again(); }} />
      </Modal>
      <Confirm opened={act !== null} onClose={() => setAct(null)} title={words?.title ?? ''} action={words?.action ?? ''}
        onConfirm={async () => {
          const path = { id: act?.user.id ?? '' };
          if (act?.what === 'reset') {
            setSecret((await call('POST', '/users/{id}/reset-password', { path })).data.password);
          } else if (act?.what === 'totp') {
            await call('DELETE', '/users/{id}/totp', { path });
          } else if (act?.what === 'delete') {
            await call('DELETE', '/users/{id}', { path });
          }
          await again();
        }}>
        <p style={{ marginTop: 0 }}><strong><RawCell value={act?.user.username} /></strong></p>
        {words?.text}
      </Confirm>
      <Once secret={secret} title="One-time password" close={() => setSecret(null)}>
        It must be changed at the first sign-in. It is shown this once.
      </Once>
    </Page>
  );
}
