// SPDX-License-Identifier: Apache-2.0
// Counts over time: what the server is asked for them, and the intervals in which there was nothing.
import { get, type Got } from '../api/client';
import { micros } from './format';

export interface Bucket {
  ts: string;
  count: number;
}

/** The time that the buckets were asked for. */
export interface Span {
  interval_s: number;
  from?: string;
  to?: string;
}

const FIRST = '1970-01-01T00:00:00.000001Z'; // no time at all would be the last day
const DAY_MS = 86400e3;
const FILLED_MOST = 400;

/** Counts of all that GET /events finds with the same query: without a `from` it begins where the first event is. `oldest`
 * asks for the begin of the store's oldest day, in which older events can lie when they came late. */
export async function histogram(
  query: Record<string, string>,
  oldest: () => Promise<string | null>,
  signal: AbortSignal,
): Promise<Got<'/events/histogram'>> {
  if (query.from) {
    return get('/events/histogram', { query, signal });
  }
  const usual = (Date.parse((await oldest()) ?? '') || Date.now()) - DAY_MS;
  const before = query.to && Date.parse(query.to) < usual ? query.to : micros(usual);
  let from = FIRST;
  for (let step = 0; step < 2; step++) { // the first step knows the year, the second about a week
    const older = await get('/events/histogram', { query: { ...query, from, to: before }, signal });
    const ts = older.buckets[0]?.ts;
    if (ts === undefined) {
      from = step === 0 ? micros(usual) : from;
      break;
    }
    from = ts > FIRST ? ts : FIRST;
  }
  return get('/events/histogram', { query: { ...query, from }, signal });
}

/** The buckets with those of zero between, from the first or `from` until the last or `to`: the server leaves them out. */
export function filled(buckets: Bucket[], { interval_s, from, to }: Span): Bucket[] {
  const step = interval_s * 1000;
  const floor = (t: number) => Math.floor(t / step) * step;
  const times = buckets.map((b) => Date.parse(b.ts));
  const first = floor(from ? Date.parse(from) : Math.min(...times));
  const end = to ? Date.parse(to) : Date.now();
  // Clocks that are wrong are no reason to draw without an end: what lies far away stands beside the rest.
  const last = Math.min(floor(end - 1), first + step * FILLED_MOST);
  if (!buckets.length || !(step > 0) || !(last >= first)) {
    return buckets;
  }
  const out = new Map(times.map((t, i) => [t, buckets[i]]));
  for (let t = first; t <= last; t += step) {
    if (!out.has(t)) {
      out.set(t, { ts: micros(t), count: 0 });
    }
  }
  return [...out].sort(([a], [b]) => a - b).flatMap(([, b]) => b ?? []);
}
