// SPDX-License-Identifier: Apache-2.0
// Numbers and times for people.
import { useSyncExternalStore } from 'react';

const count = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export function num(n: number | string | null | undefined): string {
  return n === null || n === undefined || n === '' ? '–' : count.format(Number(n));
}
/** Exact as long as that is short. */
export function short(n: number | null | undefined): string {
  return n === null || n === undefined ? '–' : n < 100_000 ? count.format(n) : compact.format(n);
}
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined) {
    return '–';
  }
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  let v = n;
  for (; v >= 1024 && i < units.length - 1; i++) {
    v /= 1024;
  }
  return `${v >= 100 || i === 0 ? Math.round(v) : v.toFixed(1)} ${units[i]}`;
}
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${num(n)} ${n === 1 ? one : many}`;
}

// Whether times are shown in UTC (what the store uses) or the browser's zone.
const ZONE = 'wedr.zone';
const listeners = new Set<() => void>();
let utc = readZone();
function readZone(): boolean {
  try {
    return localStorage.getItem(ZONE) !== 'local';
  } catch {
    return true;
  }
}
export function setUtc(value: boolean): void {
  utc = value;
  try {
    localStorage.setItem(ZONE, value ? 'utc' : 'local');
  } catch {
    // a browser that keeps nothing: for this page alone
  }
  listeners.forEach((l) => l());
}
export function useUtc(): boolean {
  return useSyncExternalStore(
    (l) => {
      listeners.add(l);
      return () => listeners.delete(l);
    },
    () => utc,
  );
}

const two = (n: number): string => String(n).padStart(2, '0');

/** "2026-11-23 20:00:01.123" in the zone people chose. */
export function stamp(text: string | null | undefined, inUtc: boolean, fraction = true): string {
  const t = text ? new Date(text) : null;
  if (!t || Number.isNaN(t.getTime())) {
    return text ? String(text).slice(0, 40) : '–';
  }
  const ms = fraction ? `.${(/\.(\d{1,3})/.exec(text ?? '')?.[1] ?? '000').padEnd(3, '0')}` : '';
  return inUtc
    ? `${t.getUTCFullYear()}-${two(t.getUTCMonth() + 1)}-${two(t.getUTCDate())} ${two(t.getUTCHours())}:${two(t.getUTCMinutes())}:${two(t.getUTCSeconds())}${ms}`
    : `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}${ms}`;
}

export function ago(text: string | null | undefined, now = Date.now()): string {
  const t = text ? Date.parse(text) : NaN;
  if (Number.isNaN(t)) {
    return 'never';
  }
  const s = Math.round((now - t) / 1000);
  const d = Math.abs(s);
  const value =
    d < 60 ? `${d} s` : d < 3600 ? `${Math.floor(d / 60)} min` : d < 86400 * 2 ? `${Math.floor(d / 3600)} h` : `${Math.floor(d / 86400)} d`;
  return s >= 0 ? `${value} ago` : `in ${value}`;
}

/** "23 h 56 min". */
export function duration(ms: number): string {
  const min = Math.floor(ms / 60_000);
  const [d, h, m] = [Math.floor(min / 1440), Math.floor(min / 60) % 24, min % 60];
  return d > 0 ? `${d} d ${h} h` : h > 0 ? `${h} h ${m} min` : `${m} min`;
}

export const RANGES = [
  { value: '15m', label: '15 minutes', ms: 900e3 },
  { value: '1h', label: '1 hour', ms: 3600e3 },
  { value: '24h', label: '24 hours', ms: 86400e3 },
  { value: '7d', label: '7 days', ms: 7 * 86400e3 },
  { value: '30d', label: '30 days', ms: 30 * 86400e3 },
  { value: 'all', label: 'All time', ms: 0 },
] as const;

/** The time around a moment, for the address of a hunt. */
export function around(ts: string, ms: number): { from: string; to: string } {
  const t = Date.parse(ts);
  return Number.isNaN(t) ? { from: '', to: '' } : { from: micros(t - ms), to: micros(t + ms) };
}

export function micros(t: number): string {
  return new Date(t).toISOString().replace('Z', '000Z');
}
