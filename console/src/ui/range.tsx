// SPDX-License-Identifier: Apache-2.0
// A time range as people say it: the last so and so much, or from and to.
import { Button, Popover, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { RANGES, micros, stamp, useUtc } from '../lib/format';

export interface Range {
  range?: string;
  from?: string;
  to?: string;
}

/** What the server gets: from and to as its times; `now` decides what "the last hour" is. */
export function bounds(r: Range, now: number): { from?: string; to?: string } {
  if (r.from || r.to) {
    return { from: r.from, to: r.to };
  }
  const found = RANGES.find((x) => x.value === (r.range ?? '24h'));
  return found && found.ms > 0 ? { from: micros(now - found.ms) } : {};
}

function parse(text: string, utc: boolean): number {
  const t = text.trim().replace(' ', 'T');
  return Date.parse(utc && !/[zZ]|[+-]\d\d:?\d\d$/.test(t) ? `${t}Z` : t);
}

export function RangePicker({ value, onChange }: { value: Range; onChange: (r: Range) => void }) {
  const utc = useUtc();
  const [open, setOpen] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const exact = Boolean(value.from || value.to);
  const bad = (t: string) => t !== '' && Number.isNaN(parse(t, utc));
  return (
    <Popover opened={open} onChange={setOpen} withinPortal trapFocus>
      <Popover.Target>
        <Select
          aria-label="Time range"
          w={exact ? 300 : 140}
          data={[
            ...RANGES.map((r) => ({ value: r.value as string, label: r.value === 'all' ? r.label : `Last ${r.label}` })),
            {
              value: 'exact',
              label: exact
                ? `${value.from ? stamp(value.from, utc, false) : '…'} to ${value.to ? stamp(value.to, utc, false) : 'now'}`
                : 'From and to…',
            },
          ]}
          value={exact ? 'exact' : (value.range ?? '24h')}
          allowDeselect={false}
          onChange={(v) => {
            if (v !== 'exact') {
              onChange({ range: v ?? undefined });
            }
          }}
          onOptionSubmit={(v) => {
            if (v === 'exact') {
              setFrom(value.from ? stamp(value.from, utc, false) : '');
              setTo(value.to ? stamp(value.to, utc, false) : '');
              setOpen(true);
            }
          }}
        />
      </Popover.Target>
      <Popover.Dropdown>
        <form
          className="stack"
          onSubmit={(e) => {
            e.preventDefault();
            if (!bad(from) && !bad(to)) {
              onChange({
                from: from ? micros(parse(from, utc)) : undefined,
                to: to ? micros(parse(to, utc)) : undefined,
              });
              setOpen(false);
            }
          }}
        >
          <TextInput label={`From (${utc ? 'UTC' : 'local time'})`} placeholder="2026-11-26 08:00:00" value={from}
            error={bad(from) ? 'Not a time' : undefined} onChange={(e) => setFrom(e.currentTarget.value)} />
          <TextInput label="To" placeholder="now" value={to} error={bad(to) ? 'Not a time' : undefined}
            onChange={(e) => setTo(e.currentTarget.value)} />
          <Button type="submit">Apply</Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
