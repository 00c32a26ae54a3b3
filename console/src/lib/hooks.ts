// SPDX-License-Identifier: Apache-2.0
import { useCallback, useEffect, useRef, useState } from 'react';
import { useSearchParams } from 'react-router-dom';

/** Filters live in the address, so that a view can be shared and "back" works. */
export function useFilters(): [Record<string, string>, (change: Record<string, string | null | undefined>) => void] {
  const [params, setParams] = useSearchParams();
  const values = Object.fromEntries(params);
  const change = useCallback(
    (c: Record<string, string | null | undefined>) => {
      setParams((old) => {
        const next = new URLSearchParams(old);
        for (const [k, v] of Object.entries(c)) {
          if (v) {
            next.set(k, v);
          } else {
            next.delete(k);
          }
        }
        return next;
      });
    },
    [setParams],
  );
  return [values, change];
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · WazabiEDR`;
  }, [title]);
}

/** Re-renders now and then, for "3 min ago". */
export function useNow(everyMs = 15_000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const t = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(t);
  }, [everyMs]);
  return now;
}

export type StreamStatus = 'connecting' | 'live' | 'waiting' | 'off';

/** Whether keys pressed there are text. */
export function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Single keys of a view; never while somebody types or something lies over it. */
export function useKeys(keys: Record<string, (() => void) | undefined>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const on = (e: KeyboardEvent) => {
      const run = latest.current[e.key];
      if (!run || e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || typing(e.composedPath()[0] ?? null) ||
        document.querySelector('[role=dialog],[role=menu]')) {
        return;
      }
      e.preventDefault();
      run();
    };
    window.addEventListener('keydown', on);
    return () => window.removeEventListener('keydown', on);
  }, []);
}

/** Whether somebody can see this page. */
export function useVisible(): boolean {
  const [visible, setVisible] = useState(() => document.visibilityState !== 'hidden');
  useEffect(() => {
    const on = () => setVisible(document.visibilityState !== 'hidden');
    document.addEventListener('visibilitychange', on);
    return () => document.removeEventListener('visibilitychange', on);
  }, []);
  return visible;
}

/** Calls `fn` at once, and then at most every `everyMs` however often it is asked to; never drops the last asking. */
export function useAtMost(everyMs: number, fn: () => void): () => void {
  const latest = useRef(fn);
  latest.current = fn;
  const last = useRef(-Infinity);
  const later = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(later.current), []);
  return useCallback(() => {
    if (later.current !== undefined) {
      return;
    }
    const run = () => {
      later.current = undefined;
      last.current = performance.now();
      latest.current();
    };
    const wait = last.current + everyMs - performance.now();
    if (wait <= 0) {
      run();
    } else {
      later.current = setTimeout(run, wait);
    }
  }, [everyMs]);
}

/** What a stream says when it was away and nobody knows how much came meanwhile; the server says the same to a browser that reconnects. */
const LOST = '{"count":null}';

/** Server-sent events while `url` is set. The browser reconnects; a refused stream is tried again every 2 s. One that begins
 * later than the first try knows nothing of what came before: `on` gets a "lost" when it is open. */
export function useStream(url: string | null, names: string[], on: (name: string, data: string) => void): StreamStatus {
  const [status, setStatus] = useState<StreamStatus>('off');
  const handler = useRef(on);
  handler.current = on;
  const tried = useRef<string>();
  const list = names.join(' ');
  useEffect(() => {
    if (!url) {
      setStatus('off');
      return undefined;
    }
    let source: EventSource | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    const open = () => {
      setStatus('connecting');
      source = new EventSource(url);
      let late = tried.current === url;
      tried.current = url;
      source.onopen = () => {
        setStatus('live');
        if (late) {
          late = false; // when the browser reconnects, the server says so
          handler.current('lost', LOST);
        }
      };
      source.onmessage = (e) => handler.current('message', String(e.data));
      for (const name of list.split(' ').filter(Boolean)) {
        source.addEventListener(name, (e) => handler.current(name, String((e as MessageEvent).data)));
      }
      source.onerror = () => {
        setStatus('waiting');
        if (source?.readyState === EventSource.CLOSED) {
          again = setTimeout(open, 2000);
        }
      };
    };
    open();
    return () => {
      clearTimeout(again);
      source?.close();
    };
  }, [url, list]);
  return status;
}
