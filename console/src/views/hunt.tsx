// SPDX-License-Identifier: Apache-2.0
import { Menu, Button, SegmentedControl } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDownload } from '@tabler/icons-react';
import { Suspense, lazy, useState } from 'react';
import { downloadEvents } from '../api/client';
import { useMay } from '../api/session';
import { useFilters } from '../lib/hooks';
import { Page, Waiting, sayProblem } from '../ui/basics';
import { FormHunt } from './huntform';

const SqlHunt = lazy(() => import('./huntsql'));

/** What an export is made of: a statement or the form's filter. */
export type Exported = { sql: string } | { filter: Record<string, string> };

function Export({ what }: { what: Exported | null }) {
  const [busy, setBusy] = useState(false);
  const save = (format: 'ndjson' | 'csv') => {
    setBusy(true);
    downloadEvents({ ...what, format })
      .catch((e: unknown) => notifications.show({ color: 'red', message: sayProblem(e) }))
      .finally(() => setBusy(false));
  };
  return (
    <Menu withinPortal position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={14} />} loading={busy} disabled={!what}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => save('ndjson')}>NDJSON, whole events</Menu.Item>
        <Menu.Item onClick={() => save('csv')}>CSV, for spreadsheets</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

export default function Hunt() {
  const analyst = useMay('analyst');
  const [filters, change] = useFilters();
  const [what, setWhat] = useState<Exported | null>(null);
  const mode = filters.mode === 'sql' && analyst ? 'sql' : 'form';
  return (
    <Page name="Hunt" title="Hunt" fill
      actions={
        <>
          {analyst && (
            <SegmentedControl aria-label="How to ask" value={mode} data={[{ value: 'form', label: 'Form' }, { value: 'sql', label: 'SQL' }]}
              onChange={(v) => { setWhat(null); change({ mode: v === 'sql' ? 'sql' : null }); }} />
          )}
          {analyst && <Export what={what} />}
        </>
      }>
      {mode === 'form' ? (
        <FormHunt onAsked={setWhat} />
      ) : (
        <Suspense fallback={<Waiting />}>
          <SqlHunt onAsked={setWhat} />
        </Suspense>
      )}
    </Page>
  );
}
