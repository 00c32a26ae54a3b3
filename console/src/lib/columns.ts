// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { get, type Got } from '../api/client';

export type EventColumn = Got<'/events/columns'>[number];

/** The columns of `events`: for forms, completion, pivots. */
export function useColumns(): { list: EventColumn[]; names: Set<string>; types: string[] } {
  const { data } = useQuery({
    queryKey: ['columns'],
    queryFn: ({ signal }) => get('/events/columns', { signal }),
    staleTime: Infinity,
  });
  return useMemo(() => {
    const list = data ?? [];
    return {
      list,
      names: new Set(list.map((c) => c.name)),
      types: [...new Set(list.flatMap((c) => c.types ?? []))].sort(),
    };
  }, [data]);
}
