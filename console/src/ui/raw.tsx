// SPDX-License-Identifier: Apache-2.0
// Every value of an endpoint goes through one of these.
import { Menu } from '@mantine/core';
import { IconCopy, IconFilter, IconFilterOff, IconSearch } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useNavigate } from 'react-router-dom';
import { cutAt, flat, pieces, textOf } from '../lib/hostile';
import { num } from '../lib/format';

const CELL_MOST = 300;
// What is only a little too long is shown whole.
const SLACK = 24;

function Spelled({ text }: { text: string }) {
  const parts = useMemo(() => pieces(text), [text]);
  return (
    <bdi className="raw">
      {parts.map((p, i) =>
        p.unseen ? (
          <span key={i} className="ctl">
            {p.text}
          </span>
        ) : (
          p.text
        ),
      )}
    </bdi>
  );
}

/** The value as text; long ones are cut, with a way to see all. */
export function Raw({ value, most = 400, mono = false }: { value: unknown; most?: number; mono?: boolean }) {
  const [open, setOpen] = useState(false);
  const text = textOf(value);
  if (text === '') {
    return <span className="dim">–</span>;
  }
  const long = text.length > most + SLACK;
  const cut = open || !long ? text : cutAt(text, most);
  return (
    <span className={mono ? 'mono' : undefined}>
      <Spelled text={cut} />
      {long && (
        <button type="button" className="plain link rawmore" onClick={() => setOpen(!open)} aria-expanded={open}>
          {open ? 'Show less' : `Show all ${num(text.length)} characters`}
        </button>
      )}
    </span>
  );
}

/** One line of a table; the whole value is in what the row opens. */
export function RawCell({ value, mono = false }: { value: unknown; mono?: boolean }) {
  const text = textOf(value);
  if (text === '') {
    return <span className="dim">–</span>;
  }
  const cut = cutAt(text, CELL_MOST);
  return (
    <span className={mono ? 'mono' : undefined} title={flat(text, 1000)}>
      <Spelled text={cut.length < text.length ? `${cut}…` : cut} />
    </span>
  );
}

/** A value that leads on: hunt for it, add it to the filter at hand, copy it. */
export function Pivot({
  column,
  value,
  onFilter,
  most = 400,
}: {
  column: string;
  value: unknown;
  onFilter?: (column: string, value: string) => void;
  most?: number;
}) {
  const navigate = useNavigate();
  const text = textOf(value);
  if (text === '') {
    return <span className="dim">–</span>;
  }
  const long = text.length > most + SLACK;
  return (
    <>
      <Menu position="bottom-start" withinPortal shadow="md">
        <Menu.Target>
          <button type="button" className="plain pivot mono">
            <Spelled text={long ? `${cutAt(text, most)}…` : text} />
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          {onFilter && (
            <Menu.Item leftSection={<IconFilter size={14} />} onClick={() => onFilter(column, text)}>
              Filter for this value
            </Menu.Item>
          )}
          {onFilter && (
            <Menu.Item leftSection={<IconFilterOff size={14} />} onClick={() => onFilter(`${column}.not`, text)}>
              Leave this value out
            </Menu.Item>
          )}
          <Menu.Item
            leftSection={<IconSearch size={14} />}
            onClick={() => navigate(`/hunt?${new URLSearchParams({ [column]: text, range: '7d' }).toString()}`)}
          >
            Hunt on all endpoints
          </Menu.Item>
          <Menu.Item leftSection={<IconCopy size={14} />} onClick={() => void navigator.clipboard.writeText(text)}>
            Copy
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {long && <WholeValue text={text} most={most} />}
    </>
  );
}

function WholeValue({ text, most }: { text: string; most: number }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="plain link rawmore" onClick={() => setOpen(!open)} aria-expanded={open}>
        {open ? 'Show less' : `Show all ${num(text.length)} characters`}
      </button>
      {open && (
        <div className="mono">
          <Spelled text={text.slice(cutAt(text, most).length)} />
        </div>
      )}
    </>
  );
}
