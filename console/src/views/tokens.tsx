// SPDX-License-Identifier: Apache-2.0
import { Button, Checkbox, Modal, NumberInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call, get } from '../api/client';
import { useMay, useSession } from '../api/session';
import type { Scopes, Token } from '../api/schema';
import { num } from '../lib/format';
import { Ago, Confirm, Empty, ErrorBox, Page, Panel, Waiting } from '../ui/basics';
import { Once } from '../ui/once';
import { RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';

type Scope = Scopes[number];
const SCOPES: { value: Scope; label: string; role: 'viewer' | 'analyst' | 'responder' | 'admin' }[] = [
  { value: 'read', label: 'read: events, alerts, endpoints', role: 'viewer' },
  { value: 'triage', label: 'triage: change alerts, SQL, export', role: 'analyst' },
  { value: 'respond', label: 'respond: act on endpoints', role: 'responder' },
  { value: 'admin', label: 'admin: manage users and settings', role: 'admin' },
];

function Form({ done }: { done: (token: string) => void }) {
  const { user } = useSession();
  const order = ['viewer', 'analyst', 'responder', 'admin'];
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<Scope[]>(['read']);
  const [days, setDays] = useState<number | string>(90);
  const save = useMutation({
    mutationFn: async () => (await call('POST', '/tokens', { body: { name, scopes, expires_days: Number(days) } })).data,
    onSuccess: (d) => done(d.token),
  });
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
      <TextInput label="Name" placeholder="What it is for" value={name} onChange={(e) => setName(e.currentTarget.value)} required maxLength={128} data-autofocus />
      <Checkbox.Group label="May" value={scopes} onChange={(v) => setScopes(v as Scope[])}>
        <div className="stack" style={{ gap: 6, marginTop: 6 }}>
          {SCOPES.filter((s) => order.indexOf(s.role) <= order.indexOf(user.role)).map((s) => <Checkbox key={s.value} value={s.value} label={s.label} />)}
        </div>
      </Checkbox.Group>
      <NumberInput label="Days until it expires" value={days} onChange={setDays} min={1} max={365} allowDecimal={false} clampBehavior="strict" required />
      <ErrorBox error={save.error} />
      <Button type="submit" loading={save.isPending} disabled={!scopes.length}>Make token</Button>
    </form>
  );
}

export default function Tokens() {
  const client = useQueryClient();
  const admin = useMay('admin');
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [removing, setRemoving] = useState<Token | null>(null);
  const q = useQuery({ queryKey: ['tokens'], queryFn: ({ signal }) => get('/tokens', { query: { limit: 1000 }, signal }) });
  const again = () => client.invalidateQueries({ queryKey: ['tokens'] });
  const columns: Column<Token>[] = [
    { header: 'Name', id: 'name', accessorKey: 'name', size: 220, meta: { grow: true }, cell: (c) => <RawCell value={c.getValue()} /> },
    { header: 'Owner', id: 'owner', accessorKey: 'owner', size: 140, cell: (c) => <RawCell value={c.getValue()} /> },
    { header: 'May', id: 'scopes', accessorFn: (t) => t.scopes.join(', '), size: 200 },
    { header: 'Made', id: 'created', accessorKey: 'created', size: 120, cell: (c) => <Ago at={c.row.original.created} /> },
    { header: 'Last used', id: 'last_used', accessorFn: (t) => t.last_used ?? '', size: 120, cell: (c) => <Ago at={c.row.original.last_used} /> },
    { header: 'Expires', id: 'expires', accessorKey: 'expires', size: 120, cell: (c) => <Ago at={c.row.original.expires} /> },
    { header: () => <span className="sr">Actions</span>, id: 'act', size: 90, enableSorting: false, enableResizing: false,
      cell: (c) => <button type="button" className="plain link" onClick={() => setRemoving(c.row.original)}>Revoke</button> },
  ];
  return (
    <Page name="API tokens" title="API tokens" fill actions={<Button onClick={() => setMaking(true)}>New token</Button>}>
      <div className="dim">For programs: sent as bearer, with at most the rights of {admin ? 'the owner' : 'you'}.</div>
      <ErrorBox error={q.error} retry={() => void q.refetch()} />
      <Panel fill>
        {q.isPending ? <div className="body"><Waiting /></div> : (
          <DataTable label="API tokens" rows={q.data?.items ?? []} columns={columns} id={(t) => t.id} sortable empty={<Empty title="No tokens" />} />
        )}
        <div className="foot"><span>{num(q.data?.items.length ?? 0)} tokens</span></div>
      </Panel>
      <Modal opened={making} onClose={() => setMaking(false)} title="New API token">
        <Form done={(token) => { setMaking(false); setSecret(token); void again(); }} />
      </Modal>
      <Confirm opened={removing !== null} onClose={() => setRemoving(null)} title="Revoke the token" action="Revoke"
        onConfirm={async () => { await call('DELETE', '/tokens/{id}', { path: { id: removing?.id ?? '' } }); await again(); }}>
        Programs that use <strong><RawCell value={removing?.name} /></strong> are refused from now on.
      </Confirm>
      <Once secret={secret} title="API token" close={() => setSecret(null)}>
        Send it as <code>Authorization: Bearer …</code>. It is shown this once.
      </Once>
    </Page>
  );
}
