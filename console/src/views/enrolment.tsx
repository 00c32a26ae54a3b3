// SPDX-License-Identifier: Apache-2.0
import { Button, Modal, NumberInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call, get, type Made } from '../api/client';
import type { EnrollmentToken } from '../api/schema';
import { num } from '../lib/format';
import { Ago, Confirm, Empty, ErrorBox, Page, Panel, Waiting } from '../ui/basics';
import { Once } from '../ui/once';
import { RawCell } from '../ui/raw';
import { DataTable, type Column } from '../ui/table';

type MadeToken = Made<'POST', '/enrollment-tokens'>;

function Form({ done }: { done: (t: MadeToken) => void }) {
  const [uses, setUses] = useState<number | string>(1);
  const [hours, setHours] = useState<number | string>(1);
  const [group, setGroup] = useState('default');
  const [note, setNote] = useState('');
  const save = useMutation({
    mutationFn: async () =>
      (await call('POST', '/enrollment-tokens', { body: { uses: Number(uses), hours: Number(hours), group, note } })).data,
    onSuccess: done,
  });
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
      <NumberInput label="Endpoints that it lets in" value={uses} onChange={setUses} min={1} max={1_000_000} allowDecimal={false} required data-autofocus />
      <NumberInput label="Hours until it expires" value={hours} onChange={setHours} min={1} max={8784} allowDecimal={false} required />
      <TextInput label="Group of the endpoints" value={group} onChange={(e) => setGroup(e.currentTarget.value)} required maxLength={64} pattern="[A-Za-z0-9_.\-]+" />
      <TextInput label="Note" value={note} onChange={(e) => setNote(e.currentTarget.value)} maxLength={256} />
      <ErrorBox error={save.error} />
      <Button type="submit" loading={save.isPending}>Make token</Button>
    </form>
  );
}

export default function Enrolment() {
  const client = useQueryClient();
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<MadeToken | null>(null);
  const [removing, setRemoving] = useState<EnrollmentToken | null>(null);
  const q = useQuery({
    queryKey: ['enrolment'],
    queryFn: ({ signal }) => get('/enrollment-tokens', { query: { limit: 1000 }, signal }),
    refetchInterval: 15_000,
  });
  const again = () => client.invalidateQueries({ queryKey: ['enrolment'] });
  const columns: Column<EnrollmentToken>[] = [
    { header: 'Note', id: 'note', accessorKey: 'note', size: 260, meta: { grow: true }, cell: (c) => <RawCell value={c.getValue()} /> },
    { header: 'Group', id: 'group', accessorKey: 'group', size: 160, cell: (c) => <RawCell value={c.getValue()} /> },
    { header: 'Uses left', id: 'uses_left', accessorKey: 'uses_left', size: 100, meta: { right: true }, cell: (c) => num(c.row.original.uses_left) },
    { header: 'Made', id: 'created', accessorKey: 'created', size: 120, cell: (c) => <Ago at={c.row.original.created} /> },
    { header: 'Expires', id: 'expires', accessorKey: 'expires', size: 120, cell: (c) => <Ago at={c.row.original.expires} /> },
    { header: () => <span className="sr">Actions</span>, id: 'act', size: 90, enableSorting: false, enableResizing: false,
      cell: (c) => <button type="button" className="plain link" onClick={() => setRemoving(c.row.original)}>Revoke</button> },
  ];
  return (
    <Page name="Enrolment" title="Enrolment tokens" fill actions={<Button onClick={() => setMaking(true)}>New token</Button>}>
      <div className="dim">A token lets so many endpoints in until it expires. Endpoints that are in keep their certificate.</div>
      <ErrorBox error={q.error} retry={() => void q.refetch()} />
      <Panel fill>
        {q.isPending ? <div className="body"><Waiting /></div> : (
          <DataTable label="Enrolment tokens" rows={q.data?.items ?? []} columns={columns} id={(t) => t.id} sortable empty={<Empty title="No token is open" />} />
        )}
        <div className="foot"><span>{num(q.data?.items.length ?? 0)} tokens</span></div>
      </Panel>
      <Modal opened={making} onClose={() => setMaking(false)} title="New enrolment token">
        <Form done={(t) => { setMaking(false); setMade(t); void again(); }} />
      </Modal>
      <Once secret={made?.command ?? null} title="Run this on the endpoint, as root" close={() => setMade(null)}>
        It holds the token, which is shown this once, and the fingerprint by which the endpoint knows this server:{' '}
        <code>{made?.ca_sha256}</code>
      </Once>
      <Confirm opened={removing !== null} onClose={() => setRemoving(null)} title="Revoke the token" action="Revoke"
        onConfirm={async () => { await call('DELETE', '/enrollment-tokens/{id}', { path: { id: removing?.id ?? '' } }); await again(); }}>
        It lets nobody in any more. Endpoints that are in stay.
      </Confirm>
    </Page>
  );
}
