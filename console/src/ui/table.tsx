// SPDX-License-Identifier: Apache-2.0
// The one table: virtual rows (100,000 of them are fine), columns that can be resized and sorted, keyboard.
import {
  flexRender,
  getCoreRowModel,
  getSortedRowModel,
  useReactTable,
  type ColumnDef,
  type SortingState,
  type VisibilityState,
} from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';

const ROW = 29;

export type Column<T> = ColumnDef<T> & { meta?: { grow?: boolean; right?: boolean; narrow?: boolean } };

export interface TableProps<T> {
  label: string;
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  open?: (row: T) => void;
  chosen?: string | null;
  hidden?: VisibilityState;
  /** Called near the end of what is there. */
  more?: () => void;
  /** As high as its rows instead of as its place. */
  fit?: boolean;
  sortable?: boolean;
  empty?: ReactNode;
  total?: number;
}

export function DataTable<T>(p: TableProps<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [sorting, setSorting] = useState<SortingState>([]);
  const [at, setAt] = useState(0);
  const table = useReactTable({
    data: p.rows,
    columns: p.columns,
    getRowId: p.id,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
    enableSorting: p.sortable ?? false,
    columnResizeMode: 'onChange',
    onSortingChange: setSorting,
    state: { sorting, columnVisibility: p.hidden ?? {} },
  });
  const rows = table.getRowModel().rows;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.length ? (items[items.length - 1]?.index ?? 0) : 0;
  const { more } = p;
  useEffect(() => {
    if (more && rows.length > 0 && last >= rows.length - 30) {
      more();
    }
  }, [last, rows.length, more]);

  const go = (to: number) => {
    const n = Math.max(0, Math.min(rows.length - 1, to));
    setAt(n);
    virtual.scrollToIndex(n);
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-index="${n}"]`)?.focus());
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.target instanceof HTMLInputElement || e.altKey || e.ctrlKey || e.metaKey) {
      return;
    }
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 300) / ROW) - 2);
    const steps: Record<string, number> = {
      ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length,
    };
    const row = rows[at];
    if (e.key in steps) {
      e.preventDefault();
      go(at + (steps[e.key] ?? 0));
    } else if (e.key === 'Enter' && row && p.open && e.target instanceof HTMLElement && e.target.dataset.index) {
      e.preventDefault();
      p.open(row.original);
    } else if (e.key.toLowerCase() === 'x' && e.target instanceof HTMLElement && e.target.dataset.index) {
      // As a click on the row's box, with Shift for all between. The row that was moved to: the focus may still be on its way there.
      box.current
        ?.querySelector(`[data-index="${at}"] input[type=checkbox]`)
        ?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, shiftKey: e.shiftKey }));
    }
  };

  return (
    <div
      ref={box}
      className={p.fit ? 'table fit' : 'table'}
      role="table"
      aria-label={p.label}
      aria-rowcount={(p.total ?? rows.length) + 1}
      onKeyDown={onKey}
      tabIndex={rows.length ? -1 : 0}
    >
      <div className="thead" role="rowgroup">
        {table.getHeaderGroups().map((g) => (
          <div className="tr" role="row" key={g.id} aria-rowindex={1}>
            {g.headers.map((h) => {
              const meta = h.column.columnDef.meta as Column<T>['meta'];
              const sorted = h.column.getIsSorted();
              const content = flexRender(h.column.columnDef.header, h.getContext());
              return (
                <div
                  key={h.id}
                  role="columnheader"
                  className={`th${meta?.grow ? ' grow' : ''}${meta?.right ? ' right' : ''}${meta?.narrow ? ' narrow' : ''}`}
                  style={{ width: h.getSize() }}
                  aria-sort={sorted ? (sorted === 'asc' ? 'ascending' : 'descending') : undefined}
                >
                  {h.column.getCanSort() ? (
                    <button type="button" className="plain" onClick={h.column.getToggleSortingHandler()}>
                      {content}
                      {sorted ? (sorted === 'asc' ? ' ↑' : ' ↓') : ''}
                    </button>
                  ) : (
                    content
                  )}
                  {h.column.getCanResize() && (
                    <span className="grip" aria-hidden="true" onMouseDown={h.getResizeHandler()} />
                  )}
                </div>
              );
            })}
          </div>
        ))}
      </div>
      {rows.length === 0 ? (
        <div role="rowgroup">
          <div role="row">
            <div role="cell">{p.empty}</div>
          </div>
        </div>
      ) : (
        <div className="tbody" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
          {items.map((v) => {
            const row = rows[v.index];
            if (!row) {
              return null;
            }
            const chosen = p.chosen !== undefined && p.chosen === row.id;
            return (
              <div
                key={row.id}
                role="row"
                data-index={v.index}
                aria-rowindex={v.index + 2}
                aria-current={chosen || undefined}
                className={`tr${p.open ? ' can' : ''}${chosen ? ' chosen' : ''}`}
                style={{ transform: `translateY(${v.start}px)` }}
                tabIndex={v.index === at || (v === items[0] && (at < v.index || at > last)) ? 0 : -1}
                onFocus={() => setAt(v.index)}
                onClick={(e) => {
                  if (p.open && !(e.target as HTMLElement).closest('a,button,input,label') && !getSelection()?.toString()) {
                    p.open(row.original);
                  }
                }}
              >
                {row.getVisibleCells().map((c) => {
                  const meta = c.column.columnDef.meta as Column<T>['meta'];
                  return (
                    <div
                      key={c.id}
                      role="cell"
                      className={`td${meta?.grow ? ' grow' : ''}${meta?.right ? ' right num' : ''}${meta?.narrow ? ' narrow' : ''}`}
                      style={{ width: c.column.getSize() }}
                    >
                      {flexRender(c.column.columnDef.cell, c.getContext())}
                    </div>
                  );
                })}
              </div>
            );
          })}
        </div>
      )}
    </div>
  );
}
