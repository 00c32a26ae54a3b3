// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router-dom';
import { get } from '../api/client';
import { Ago, Empty, ErrorBox, Panel } from './basics';
import { CommandTag, isOpen, resultLine, typeName } from './command';
import { Raw } from './raw';

const SHOWN = 5;
const LOOKED_AT = 200;

/** What an endpoint was told to do lately; with a process, of its newest commands those about this one, and nothing if there are none. */
export function Told({ endpoint, process }: { endpoint: string; process?: string }) {
  const limit = process === undefined ? SHOWN : LOOKED_AT;
  const q = useQuery({
    queryKey: ['commands', 'list', 'endpoint', endpoint, limit],
    queryFn: ({ signal }) => get('/commands', { query: { endpoint, limit }, signal }),
    refetchInterval: (one) => (one.state.data?.items.some(isOpen) ? 2000 : 15_000),
  });
  const items = (q.data?.items ?? []).filter((c) => process === undefined || c.payload?.process_key === process).slice(0, SHOWN);
  if (process !== undefined && !items.length) {
    return null;
  }
  return (
    <Panel title={process === undefined ? 'Commands' : 'Commands about this process'}
      more={<Link to={`/commands?endpoint=${encodeURIComponent(endpoint)}`}>All</Link>}>
      <ErrorBox error={q.error} />
      {q.data && (items.length ? (
        <table className="small">
          <tbody>
            {items.map((c) => (
              <tr key={c.id}>
                <td style={{ width: 76 }}><CommandTag state={c.state} /></td>
                <td>
                  <Link to={`/commands?id=${encodeURIComponent(c.id)}`}>{typeName(c.type)}</Link>{' '}
                  <span className="dim"><Raw value={resultLine(c) || c.payload?.pid || c.created_by} most={100} /></span>
                </td>
                <td className="right dim"><Ago at={c.created} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <Empty title="None" />
      ))}
    </Panel>
  );
}
