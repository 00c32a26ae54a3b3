// SPDX-License-Identifier: Apache-2.0
// The one place that speaks to the server: JSON in and out, CSRF header, problem documents, and whether the server is
// there. A request that finds no server pauses all queries; they go on by themselves when it answers again.
// What may be asked, with which body, and what is answered is the server's own document: ./schema is made of it.
import { onlineManager } from '@tanstack/react-query';
import type { Problem as ProblemDocument, paths } from './schema';

const BASE = '/api/v1';
const PROBE_FIRST_MS = 1000;
const PROBE_MOST_MS = 10_000;

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Value = string | number | boolean | null | undefined | (string | number)[];

/** The paths that know a method. */
type Path<M extends Method> = {
  [P in keyof paths]: paths[P] extends { [K in Lowercase<M>]: { responses: unknown } } ? P : never;
}[keyof paths];
type Operation<M extends Method, P extends keyof paths> = paths[P][Lowercase<M> & keyof paths[P]];
type Json<C> = C extends { content: { 'application/json': infer B } } ? B : undefined;
/** What an operation answers when all is well. */
type Good<O> = O extends { responses: infer R }
  ? { [S in keyof R & (200 | 201 | 204)]: Json<R[S]> }[keyof R & (200 | 201 | 204)]
  : never;

/** What a change answers. */
export type Made<M extends Method, P extends Path<M>> = Good<Operation<M, P>>;
export type Got<P extends Path<'GET'>> = Good<Operation<'GET', P>>;
export type Sent<M extends Method, P extends Path<M>> =
  Operation<M, P> extends { requestBody?: { content: { 'application/json': infer B } } } ? B : never;

type InPath<O> = O extends { parameters: { path: infer V } } ? { path: V } : { path?: undefined };
type InQuery<O> = O extends { parameters: { query?: infer V } } ? { query?: V } : { query?: undefined };
type InBody<O> = O extends { requestBody: infer C }
  ? { body: Json<C> }
  : O extends { requestBody?: infer C }
    ? { body?: Json<C> }
    : { body?: undefined };
/** Whoever changes what others change too says which state was read. */
type InMatch<O> = O extends { parameters: { header: { 'If-Match': string } } } ? { ifMatch: string | null } : { ifMatch?: undefined };

interface Ways {
  signal?: AbortSignal;
  /** A 401 is an answer to look at, not the end of the session. */
  keepSession?: boolean;
}
export type Request<M extends Method, P extends Path<M>> = InPath<Operation<M, P>> &
  InQuery<Operation<M, P>> &
  InBody<Operation<M, P>> &
  InMatch<Operation<M, P>> &
  Ways;
/** Left out where nothing has to be given. */
type Rest<T> = Record<never, never> extends T ? [rq?: T] : [rq: T];

/** An answer other than 2xx (RFC 9457), or status 0 when there was no answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly body: Partial<ProblemDocument> = {},
    readonly retryAfter: number | null = null,
  ) {
    super(detail || title || `error ${status}`);
  }
}

export interface Answer<T> {
  data: T;
  etag: string | null;
}

let csrf = '';
let onExpired: () => void = () => undefined;
let onForbidden: () => void = () => undefined;

export function setCsrf(value: string): void {
  csrf = value;
}
export function setExpiredHandler(fn: () => void): void {
  onExpired = fn;
}
export function setForbiddenHandler(fn: () => void): void {
  onForbidden = fn;
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

function queryString(query: Record<string, Value> = {}): string {
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

/** Where an operation is, its values filled in; each stays one segment whatever it holds. */
export function addressOf<P extends Path<'GET'>>(path: P, ...[rq]: Rest<InPath<Operation<'GET', P>> & InQuery<Operation<'GET', P>>>): string {
  return fill(path, plain(rq));
}

function fill(path: string, rq: Plain): string {
  return BASE + path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(rq.path?.[name] ?? '')) + queryString(rq.query);
}

/** A request without its types: what all of them have in common. */
interface Plain extends Ways {
  path?: Record<string, string>;
  query?: Record<string, Value>;
  body?: unknown;
  ifMatch?: string | null;
}
const plain = (rq: unknown): Plain => (rq ?? {}) as Plain;

async function problemOf(r: Response): Promise<Problem> {
  let body: Partial<ProblemDocument> = {};
  try {
    body = (await r.json()) as Partial<ProblemDocument>;
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
async function send(method: Method, path: string, rq: Plain): Promise<Response> {
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
    r = await fetch(fill(path, rq), {
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
    } else if (p.status === 403 && !rq.keepSession) {
      onForbidden();
    }
    throw p;
  }
  return r;
}

export async function call<M extends Method, P extends Path<M>>(
  method: M,
  path: P,
  ...[rq]: Rest<Request<M, P>>
): Promise<Answer<Good<Operation<M, P>>>> {
  return read(await send(method, path, plain(rq)));
}

export async function get<P extends Path<'GET'>>(path: P, ...[rq]: Rest<Request<'GET', P>>): Promise<Got<P>> {
  return (await read<Got<P>>(await send('GET', path, plain(rq)))).data;
}

async function read<T>(r: Response): Promise<Answer<T>> {
  const text = r.status === 204 ? '' : await r.text();
  return { data: (text ? JSON.parse(text) : undefined) as T, etag: r.headers.get('ETag') };
}

/** Whether to ask again: never what the server refused, except when it said "later". */
export function worthRetrying(failures: number, e: unknown): boolean {
  if (!(e instanceof Problem)) {
    return false;
  }
  return (e.status === 0 || e.status === 503 || e.status === 429) && failures < 3;
}

/** Has the browser keep an export as a file; hostile bytes never become a page. */
export async function downloadEvents(body: Sent<'POST', '/events/export'>): Promise<void> {
  const r = await send('POST', '/events/export', { body });
  const name = /filename="?([\w.-]{1,100})"?/.exec(r.headers.get('Content-Disposition') ?? '')?.[1] ?? `events.${body.format}`;
  const url = URL.createObjectURL(new Blob([await r.arrayBuffer()], { type: 'application/octet-stream' }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
