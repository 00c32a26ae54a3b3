// SPDX-License-Identifier: Apache-2.0
import { Button, NumberInput, Switch } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Problem, call } from '../api/client';
import { useSessionState } from '../api/session';
import type { Settings, SettingsChange } from '../api/schema';
import { ErrorBox, Page, Panel, Waiting } from '../ui/basics';

const GIB = 1024 ** 3;

export default function SettingsView() {
  const client = useQueryClient();
  const { reload } = useSessionState();
  const q = useQuery({ queryKey: ['settings'], queryFn: ({ signal }) => call('GET', '/settings', { signal }), staleTime: Infinity });
  const [form, setForm] = useState<Settings | null>(null);
  useEffect(() => setForm(q.data ? { ...q.data.data } : null), [q.data]);
  const changed: SettingsChange = Object.fromEntries(
    Object.entries(form ?? {}).filter(([k, v]) => q.data && q.data.data[k as keyof Settings] !== v),
  );
  const save = useMutation({
    mutationFn: () => call('PATCH', '/settings', { body: changed, ifMatch: q.data?.etag ?? null }),
    onSuccess: (answer) => {
      client.setQueryData(['settings'], answer);
      notifications.show({ message: 'Settings saved.' });
      void reload(); // a second factor for everybody is one for who asked for it
    },
  });
  if (!form || !q.data) {
    return <Page name="Settings" title="Settings">{q.error ? <ErrorBox error={q.error} retry={() => void q.refetch()} /> : <Waiting />}</Page>;
  }
  const number = (key: Exclude<keyof Settings, 'require_totp'>, label: string, description: string, min: number, max: number, unit = 1) => (
    <NumberInput label={label} description={description} min={min} max={max} allowDecimal={unit !== 1} decimalScale={2} maw={320}
      value={form[key] / unit} onChange={(v) => setForm({ ...form, [key]: Math.round(Number(v) * unit) })} />
  );
  const stale = save.error instanceof Problem && save.error.status === 412;
  return (
    <Page name="Settings" title="Settings">
      <form className="stack" style={{ maxWidth: 720 }} onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
        <Panel title="How long events are kept">
          <div className="body stack">
            {number('retention_days', 'Days', '0: no limit. Whole days are deleted, the oldest first; the ledger shows them as expired', 0, 36500)}
            {number('retention_bytes', 'GiB on disk', '0: no limit', 0, 8_000_000, GIB)}
          </div>
        </Panel>
        <Panel title="Signing in">
          <div className="body stack">
            <Switch label="Everybody needs two-factor sign-in" description="Who has none has to set it up before anything else, now" checked={form.require_totp}
              onChange={(e) => setForm({ ...form, require_totp: e.currentTarget.checked })} />
            {number('session_hours', 'Hours until a session ends', 'Whatever somebody does in it', 1, 720)}
            {number('session_idle_minutes', 'Minutes without a request until it ends', 'A page that stays open asks now and then', 1, 10080)}
          </div>
        </Panel>
        {stale ? (
          <div className="problem" role="alert">
            <span>Somebody changed the settings meanwhile. Nothing of yours was saved.</span>
            <Button variant="default" onClick={() => { save.reset(); void q.refetch(); }}>Show what is there now</Button>
          </div>
        ) : (
          <ErrorBox error={save.error} />
        )}
        <div className="filters">
          <Button type="submit" loading={save.isPending} disabled={!Object.keys(changed).length}>Save</Button>
          <Button variant="default" disabled={!Object.keys(changed).length} onClick={() => setForm({ ...q.data.data })}>Undo changes</Button>
        </div>
      </form>
    </Page>
  );
}
