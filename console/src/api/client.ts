// SPDX-License-Identifier: Apache-2.0
// The one place that speaks to the server: JSON in and out, CSRF header, problem documents, and whether the server is
// there. A request that finds no server pauses all queries; they go on by themselves when it answers again.
import { onlineManager } from '@tanstack/react-query';

const BASE = '/api/v1';
const PROBE_FIRST_MS = 1000;
const PROBE_MOST_MS = 10_000;

export type Params = Record<string, string | number | boolean | null | undefined | (string | number)[]>;

/** An answer other than 2xx (RFC 9457), or status 0 when there was no answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly body: Record<string, unknown> = {},
    readonly retryAfter: number | null = null,
  ) {
    super(detail || title || `error ${status}`);
  }
}

export interface Answer<T> {
  data: T;
  etag: string | null;
}

export interface Request {
  query?: Params;
  body?: unknown;
  ifMatch?: string | null;
  signal?: AbortSignal;
  /** A 401 is an answer to look at, not the end of the session. */
  keepSession?: boolean;
}

let csrf = '';
let onExpired: () => void = () => undefined;

export function setCsrf(value: string): void {
  csrf = value;
}
export function setExpiredHandler(fn: () => void): void {
  onExpired = fn;
}

// Whether the server is there.
let probe: ReturnType<typeof setTimeout> | undefined;
let probeDelay = PROBE_FIRST_MS;

function probeLater(): void {
  probe = setTimeout(() => {
    void fetch('/healthz', { cache: 'no-store' })
      .then((r) => r.ok)
      .catch(() => false)
      .then((there) => {
        probe = undefined;
        if (there) {
          onlineManager.setOnline(true);
        } else {
          probeDelay = Math.min(probeDelay * 1.5, PROBE_MOST_MS);
          probeLater();
        }
      });
  }, probeDelay);
}

function serverIsGone(): void {
  onlineManager.setOnline(false);
  if (probe === undefined) {
    probeDelay = PROBE_FIRST_MS;
    probeLater();
  }
}

/** Resolves when the server answers again; asks for that, whatever is known about it now. */
export function untilThere(): Promise<void> {
  serverIsGone();
  return new Promise((resolve) => {
    const stop = onlineManager.subscribe((online) => {
      if (online) {
        stop();
        resolve();
      }
    });
  });
}

/** Asks now instead of at the next turn. */
export function probeNow(): void {
  clearTimeout(probe);
  probe = undefined;
  probeDelay = 0;
  probeLater();
  probeDelay = PROBE_FIRST_MS;
}

// The browser's own idea of "online" says nothing about a server on this network.
onlineManager.setEventListener(() => () => undefined);

export function queryString(query: Params = {}): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === '') {
      continue;
    }
    for (const one of Array.isArray(value) ? value : [value]) {
      q.append(name, String(one));
    }
  }
  const text = q.toString();
  return text ? `?${text}` : '';
}

async function problemOf(r: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = (await r.json()) as Record<string, unknown>;
  } catch {
    // an answer without a document
  }
  const retry = Number(r.headers.get('Retry-After'));
  return new Problem(
    r.status,
    String(body.title ?? r.statusText),
    String(body.detail ?? ''),
    body,
    Number.isFinite(retry) && retry > 0 ? retry : null,
  );
}

/** Sends; the response is 2xx or this throws a Problem. */
export async function send(method: string, path: string, rq: Request = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (rq.body !== undefined) {
    headers['Content-Type'] = 'application/json';
  }
  if (method !== 'GET' && csrf) {
    headers['X-CSRF-Token'] = csrf;
  }
  if (rq.ifMatch) {
    headers['If-Match'] = rq.ifMatch;
  }
  let r: Response;
  try {
    r = await fetch(BASE + path + queryString(rq.query), {
      method,
      headers,
      body: rq.body === undefined ? undefined : JSON.stringify(rq.body),
      signal: rq.signal,
      credentials: 'same-origin',
      cache: 'no-store',
    });
  } catch (e) {
    if (rq.signal?.aborted) {
      throw e;
    }
    serverIsGone();
    throw new Problem(0, 'No answer', 'The server does not answer.');
  }
  if (!r.ok) {
    const p = await problemOf(r);
    if (p.status === 401 && !rq.keepSession) {
      onExpired();
    }
    throw p;
  }
  return r;
}

export async function call<T>(method: string, path: string, rq: Request = {}): Promise<Answer<T>> {
  const r = await send(method, path, rq);
  const text = r.status === 204 ? '' : await r.text();
  return { data: (text ? JSON.parse(text) : undefined) as T, etag: r.headers.get('ETag') };
}

export async function get<T>(path: string, query?: Params, signal?: AbortSignal): Promise<T> {
  return (await call<T>('GET', path, { query, signal })).data;
}

/** Whether to ask again: never what the server refused, except when it said "later". */
export function worthRetrying(failures: number, e: unknown): boolean {
  if (!(e instanceof Problem)) {
    return false;
  }
  return (e.status === 0 || e.status === 503 || e.status === 429) && failures < 3;
}

export function seg(part: string): string {
  return encodeURIComponent(part);
}

/** Streams an answer into a file of the browser's; hostile bytes never become a page. */
export async function download(path: string, body: unknown, fallbackName: string): Promise<void> {
  const r = await send('POST', path, { body });
  const name = /filename="?([\w.-]{1,100})"?/.exec(r.headers.get('Content-Disposition') ?? '')?.[1] ?? fallbackName;
  const url = URL.createObjectURL(new Blob([await r.arrayBuffer()], { type: 'application/octet-stream' }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
