// SPDX-License-Identifier: Apache-2.0
// Lists that the server gives page by page.
import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';

const AGAIN_MS = 10_000;
const AGAIN_LONG_MS = 60_000;

interface Asked {
  query: { limit: number; cursor: string };
  signal: AbortSignal;
}

interface Ways {
  /** Every page is fetched, not only those that somebody scrolls to. */
  all?: boolean;
  /** It is read again now and then; a long one more seldom. */
  again?: boolean;
}

export function usePages<T>(key: string[], page: (rq: Asked) => Promise<{ items: T[]; next: string | null }>, ways: Ways = {}) {
  const q = useInfiniteQuery({
    queryKey: [...key, 'pages'],
    queryFn: ({ pageParam, signal }) => page({ query: { limit: 1000, cursor: pageParam }, signal }),
    initialPageParam: '',
    getNextPageParam: (p) => p.next ?? undefined,
    refetchInterval: (one) => (!ways.again ? false : (one.state.data?.pages.length ?? 0) > 1 ? AGAIN_LONG_MS : AGAIN_MS),
  });
  const { hasNextPage, isFetching, isError, fetchNextPage } = q;
  const due = ways.all && hasNextPage && !isFetching && !isError;
  useEffect(() => {
    if (due) {
      void fetchNextPage();
    }
  }, [due, fetchNextPage]);
  const rows = useMemo(() => q.data?.pages.flatMap((p) => p.items) ?? [], [q.data]);
  const more = () => {
    if (hasNextPage && !isFetching && !isError) {
      void fetchNextPage();
    }
  };
  /** Whether these are all rows there are. */
  const whole = q.data !== undefined && !hasNextPage;
  return { q, rows, more, whole };
}
