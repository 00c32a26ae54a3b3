// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { get } from '../api/client';
import type { EventColumn } from '../api/types';

/** The columns of `events`: for forms, completion, pivots. */
export function useColumns(): { list: EventColumn[]; names: Set<string>; types: string[] } {
  const { data } = useQuery({
    queryKey: ['columns'],
    queryFn: async ({ signal }) => {
      const answer = await get<EventColumn[] | { items: EventColumn[] }>('/events/columns', {}, signal);
      return Array.isArray(answer) ? answer : answer.items;
    },
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
