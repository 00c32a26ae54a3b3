// SPDX-License-Identifier: Apache-2.0
import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { get } from '../api/client';
import { flat } from '../lib/hostile';

/** An endpoint by name; ten thousand of them are searched by the server. */
export function HostSelect({ value, onChange }: { value: string | null; onChange: (id: string | null) => void }) {
  const [search, setSearch] = useState('');
  const [settled] = useDebouncedValue(search, 250);
  const { data } = useQuery({
    queryKey: ['endpoints', 'select', settled],
    queryFn: ({ signal }) => get('/endpoints', { query: { q: settled.includes('·') ? '' : settled, limit: 50 }, signal }),
  });
  const options = (data?.items ?? []).map((e) => ({ value: e.id, label: `${flat(e.hostname, 60)} · ${e.id.slice(0, 8)}` }));
  if (value && !options.some((o) => o.value === value)) {
    options.push({ value, label: value });
  }
  return (
    <Select aria-label="Endpoint" placeholder="All endpoints" clearable searchable w={190} data={options} value={value}
      onChange={onChange} onSearchChange={setSearch} filter={({ options: o }) => o} />
  );
}
