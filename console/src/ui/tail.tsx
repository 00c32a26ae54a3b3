// SPDX-License-Identifier: Apache-2.0
// New events as they are stored. What the server skipped is said, and so is what scrolled out of the window.
import { Button, Select } from '@mantine/core';
import { useEffect, useMemo, useRef, useState } from 'react';
import { addressOf } from '../api/client';
import type { Event as StoredEvent } from '../api/schema';
import { num } from '../lib/format';
import { useStream } from '../lib/hooks';
import { Time } from './basics';
import { EventDrawer, processName, summary, timeOf, typeOf } from './eventrow';
import { RawCell } from './raw';

const MOST = 500;
type Line = { n: number; event: StoredEvent } | { n: number; gap: string };
const AWAY = 'The stream was away: something may be missing here. It is stored.';

export function Tail({ endpoint, types, columns }: { endpoint?: string; types: string[]; columns: Set<string> }) {
  const [type, setType] = useState<string | null>(null);
  const [running, setRunning] = useState(true);
  const [lines, setLines] = useState<Line[]>([]);
  const [chosen, setChosen] = useState<StoredEvent | null>(null);
  const next = useRef(0);
  const pending = useRef<Line[]>([]);
  const box = useRef<HTMLDivElement>(null);
  const stick = useRef(true);
  const url = running ? addressOf('/events/tail', { query: { endpoint, type: type ?? undefined } }) : null;
  const status = useStream(url, ['event', 'events', 'lost'], (name, data) => {
    try {
      const value: unknown = JSON.parse(data);
      if (name === 'lost') {
        const v = value as Record<string, unknown>;
        const gap = typeof v.count === 'number' ? `${num(v.count)} skipped: more came than can be shown. They are stored.` : AWAY;
        pending.current.push({ n: next.current++, gap });
      } else {
        for (const e of Array.isArray(value) ? value : [value]) {
          pending.current.push({ n: next.current++, event: e as StoredEvent });
        }
      }
    } catch {
      pending.current.push({ n: next.current++, gap: 'A line was skipped: it is not JSON.' });
    }
  });
  useEffect(() => {
    // A flood costs four renders a second, not one per event.
    const t = setInterval(() => {
      if (pending.current.length) {
        const fresh = pending.current;
        pending.current = [];
        setLines((old) => [...old, ...fresh].slice(-MOST));
      }
    }, 250);
    return () => clearInterval(t);
  }, []);
  useEffect(() => {
    if (stick.current && box.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [lines]);
  const words = { connecting: ['info', 'connecting'], live: ['good', 'live'], waiting: ['warn', 'reconnecting'], off: ['off', 'paused'] };
  const [look, word] = words[status];
  const typeList = useMemo(() => [...new Set(types)].sort(), [types]);
  return (
    <>
      <div className="bar">
        <span className={`tag ${look}${status === 'live' ? ' pulse' : ''}`} role="status">
          <span className="dot" /> {word}
        </span>
        <Select aria-label="Type of events" placeholder="All types" clearable searchable data={typeList} value={type}
          onChange={(v) => { setType(v); setLines([]); }} w={200} />
        <Button variant="default" onClick={() => setRunning(!running)}>
          {running ? 'Pause' : 'Go on'}
        </Button>
        <Button variant="default" onClick={() => setLines([])} disabled={!lines.length}>
          Clear
        </Button>
        <span className="dim" style={{ marginLeft: 'auto' }}>
          the newest {num(MOST)} are kept here
        </span>
      </div>
      <div className="tail mono" ref={box} tabIndex={0} role="log" aria-label="New events" aria-live="off"
        onScroll={(e) => {
          const b = e.currentTarget;
          stick.current = b.scrollHeight - b.scrollTop - b.clientHeight < 40;
        }}>
        {lines.length === 0 && <p className="dim">Nothing new yet.</p>}
        {lines.map((l) =>
          'gap' in l ? (
            <div className="line gap" key={l.n}>{l.gap}</div>
          ) : (
            <div className="line" key={l.n}>
              <Time at={timeOf(l.event) || String(l.event._received ?? '')} />
              <button type="button" className="plain link" onClick={() => setChosen(l.event)}>
                {l.event._too_large ? 'an event too large to be streamed' : typeOf(l.event).slice(0, 40) || 'event'}
              </button>
              <RawCell value={processName(l.event)} />
              <span className="dim">
                <RawCell value={summary(l.event)} />
              </span>
            </div>
          ),
        )}
      </div>
      <EventDrawer event={chosen} close={() => setChosen(null)} columns={columns} />
    </>
  );
}
