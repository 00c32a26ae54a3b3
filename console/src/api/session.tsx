// SPDX-License-Identifier: Apache-2.0
// Who is signed in, and what they may do. Rights here only hide what the server would refuse anyway.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, useCallback, useContext, useEffect, useMemo, type ReactNode } from 'react';
import { Problem, call, setCsrf, setExpiredHandler, setForbiddenHandler } from './client';
import type { Role, Session } from './schema';

const RANK: Record<Role, number> = { viewer: 0, analyst: 1, responder: 2, admin: 3 };

interface SessionState {
  session: Session | null;
  loading: boolean;
  expired: boolean;
  adopt: (s: Session) => void;
  signOut: () => Promise<void>;
  reload: () => Promise<void>;
}

interface Held {
  session: Session | null;
  expired: boolean;
}

const Context = createContext<SessionState | null>(null);
const KEY = ['session'];
const FORBIDDEN_AGAIN_MS = 5000;

async function load(): Promise<Held> {
  try {
    const { data } = await call('GET', '/session', { keepSession: true });
    setCsrf(data.csrf);
    return { session: data, expired: false };
  } catch (e) {
    if (e instanceof Problem && e.status === 401) {
      return { session: null, expired: false };
    }
    throw e;
  }
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const { data, isPending } = useQuery({ queryKey: KEY, queryFn: load, staleTime: Infinity, gcTime: Infinity });

  useEffect(() => {
    setExpiredHandler(() => {
      client.setQueryData<Held>(KEY, (old) => ({ session: null, expired: old?.session != null || old?.expired === true }));
    });
    // Rights changed under way: another role, or a second factor that everybody needs from now on. The session says which.
    let asked = -Infinity;
    setForbiddenHandler(() => {
      if (performance.now() - asked > FORBIDDEN_AGAIN_MS) {
        asked = performance.now();
        load().then((held) => client.setQueryData<Held>(KEY, held), () => undefined);
      }
    });
  }, [client]);

  const adopt = useCallback(
    (s: Session) => {
      setCsrf(s.csrf);
      // Another person's answers must not be seen in the new session.
      client.removeQueries({ predicate: (q) => q.queryKey[0] !== KEY[0] });
      client.setQueryData<Held>(KEY, { session: s, expired: false });
    },
    [client],
  );
  const signOut = useCallback(async () => {
    try {
      await call('DELETE', '/session', { keepSession: true });
    } finally {
      setCsrf('');
      client.removeQueries({ predicate: (q) => q.queryKey[0] !== KEY[0] });
      client.setQueryData<Held>(KEY, { session: null, expired: false });
    }
  }, [client]);
  const reload = useCallback(async () => {
    client.setQueryData(KEY, await load());
  }, [client]);

  const state = useMemo(
    () => ({
      session: data?.session ?? null,
      expired: data?.expired ?? false,
      loading: isPending,
      adopt,
      signOut,
      reload,
    }),
    [data, isPending, adopt, signOut, reload],
  );
  return <Context.Provider value={state}>{children}</Context.Provider>;
}

export function useSessionState(): SessionState {
  const s = useContext(Context);
  if (!s) {
    throw new Error('no SessionProvider');
  }
  return s;
}

/** The session of a signed-in person; for everything below the sign-in gate. */
export function useSession(): Session {
  const s = useSessionState().session;
  if (!s) {
    throw new Error('not signed in');
  }
  return s;
}

export function useMay(role: Role): boolean {
  const s = useSessionState().session;
  return s !== null && RANK[s.user.role] >= RANK[role];
}
