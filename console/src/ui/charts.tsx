// SPDX-License-Identifier: Apache-2.0
// Everything that needs the chart library, in one chunk that the first view does not wait for.
import '@mantine/charts/styles.css';
import { BarChart } from '@mantine/charts';
import { filled, type Bucket, type Span } from '../lib/buckets';
import { num, stamp, useUtc } from '../lib/format';

/** Counts over time; a bar can lead into its time. With `over` the intervals without events are drawn, too. */
export function EventsChart({
  buckets: counted,
  over,
  height,
  onPick,
}: {
  buckets: Bucket[];
  over?: Span;
  height: number;
  onPick?: (ts: string) => void;
}) {
  const utc = useUtc();
  const buckets = over ? filled(counted, over) : counted;
  const total = buckets.reduce((sum, b) => sum + b.count, 0);
  if (buckets.length === 0) {
    return <div className="dim" style={{ height, lineHeight: `${height}px`, textAlign: 'center' }}>No events in this time</div>;
  }
  const span = Date.parse(buckets[buckets.length - 1]?.ts ?? '') - Date.parse(buckets[0]?.ts ?? '');
  const label = (ts: string): string => {
    const text = stamp(ts, utc, false);
    return span > 360 * 86400e3 ? text.slice(0, 10) : span > 2 * 86400e3 ? text.slice(5, 16) : text.slice(11, span > 7200e3 ? 16 : 19);
  };
  return (
    <div role="img" aria-label={`${num(total)} events in ${buckets.length} intervals`}>
      <BarChart
        h={height}
        data={buckets.map((b) => ({ ...b, label: label(b.ts) }))}
        dataKey="label"
        series={[{ name: 'count', label: 'Events', color: 'var(--bar)' }]}
        gridAxis="x"
        tickLine="none"
        barProps={{
          isAnimationActive: false,
          radius: [2, 2, 0, 0],
          maxBarSize: 44,
          cursor: onPick ? 'pointer' : undefined,
          onClick: onPick ? (d: unknown) => onPick((d as { payload?: Bucket }).payload?.ts ?? '') : undefined,
        }}
        barChartProps={{ barCategoryGap: '12%', margin: { top: 4, right: 4, bottom: 0, left: 0 } }}
        yAxisProps={{ width: 46, tickFormatter: (v: number) => Intl.NumberFormat('en', { notation: 'compact' }).format(v) }}
        xAxisProps={{ minTickGap: 30 }}
        valueFormatter={num}
      />
    </div>
  );
}
