// SPDX-License-Identifier: Apache-2.0
import { ActionIcon, Button, Select, TagsInput, Textarea } from '@mantine/core';
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient, type InfiniteData } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { Problem, call, get, type Got, type Answer, type Sent } from '../api/client';
import { useMay, useSession } from '../api/session';
import type { AlertDetail, AlertState, Comment, Event as StoredEvent, Resolution } from '../api/schema';
import { useColumns } from '../lib/columns';
import { num, plural } from '../lib/format';
import { objects, textOf } from '../lib/hostile';
import { useKeys } from '../lib/hooks';
import { Ago, Confirm, Copy, Empty, ErrorBox, Page, Panel, SeverityTag, StateTag, Time, Waiting } from '../ui/basics';
import { EventFields, huntAround, processName, summary, timeOf, typeOf } from '../ui/eventrow';
import { Pivot, Raw, RawCell } from '../ui/raw';
import { endOf, useSend } from '../ui/send';
import { Told } from '../ui/told';
import { RESOLUTIONS } from './alerts';

const RELATED = 6;

function Triage({ answer }: { answer: Answer<AlertDetail> }) {
  const a = answer.data;
  const { user } = useSession();
  const client = useQueryClient();
  const key = ['alert', a.id];
  const save = useMutation({
    mutationFn: (c: Sent<'PATCH', '/alerts/{id}'>) => call('PATCH', '/alerts/{id}', { path: { id: a.id }, body: c, ifMatch: answer.etag }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['alerts'] });
      void client.invalidateQueries({ queryKey: ['overview'] });
      return client.invalidateQueries({ queryKey: key }); // pending until its new ETag is here: the next change would not fit
    },
  });
  const conflict = save.error instanceof Problem && save.error.status === 412;
  const state = useRef<HTMLInputElement>(null);
  useKeys({
    m: a.assignee === user.username || save.isPending ? undefined : () => save.mutate({ assignee: user.username }),
    s: () => state.current?.focus(),
  });
  return (
    <div className="body stack">
      {conflict ? (
        <div className="problem" role="alert">
          <span>Somebody changed this alert meanwhile. Nothing of yours was saved.</span>
          <Button variant="default" onClick={() => { save.reset(); void client.invalidateQueries({ queryKey: key }); }}>Show what is there now</Button>
        </div>
      ) : (
        <ErrorBox error={save.error} />
      )}
      <Select ref={state} label="State" value={a.state} allowDeselect={false} disabled={save.isPending}
        data={[{ value: 'new', label: 'New' }, { value: 'in_progress', label: 'In progress' }, { value: 'closed', label: 'Closed' }]}
        onChange={(v) => v && v !== a.state && save.mutate(v === 'closed' ? { state: 'closed', resolution: a.resolution ?? 'true_positive' } : { state: v as AlertState })} />
      {a.state === 'closed' && (
        <Select label="Resolution" value={a.resolution} allowDeselect={false} data={RESOLUTIONS} disabled={save.isPending}
          onChange={(v) => v && save.mutate({ resolution: v as Resolution })} />
      )}
      {a.state !== 'closed' && (
        <div role="group" aria-label="Close as">
          <div className="dim">Close as</div>
          <div className="filters" style={{ gap: 5, marginTop: 3 }}>
            {RESOLUTIONS.map((r) => (
              <Button key={r.value} variant="default" size="compact-xs" disabled={save.isPending}
                onClick={() => save.mutate({ state: 'closed', resolution: r.value })}>
                {r.label}
              </Button>
            ))}
          </div>
        </div>
      )}
      <div>
        <div className="dim">Assignee</div>
        <div className="filters">
          <strong><Raw value={a.assignee ?? 'nobody'} /></strong>
          {a.assignee !== user.username && (
            <button type="button" className="plain link" disabled={save.isPending} onClick={() => save.mutate({ assignee: user.username })}>Assign to me</button>
          )}
          {a.assignee && <button type="button" className="plain link" disabled={save.isPending} onClick={() => save.mutate({ assignee: null })}>Nobody</button>}
        </div>
      </div>
      <TagsInput label="Tags" value={a.tags ?? []} maxTags={32} disabled={save.isPending} onChange={(tags) => save.mutate({ tags: tags.map((t) => t.slice(0, 64)) })} />
    </div>
  );
}

function Comments({ alert, may }: { alert: AlertDetail; may: boolean }) {
  const { user } = useSession();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [removing, setRemoving] = useState<Comment | null>(null);
  const again = () => client.invalidateQueries({ queryKey: ['alert', alert.id] });
  const add = useMutation({
    mutationFn: () => call('POST', '/alerts/{id}/comments', { path: { id: alert.id }, body: { text } }),
    onSuccess: () => {
      setText('');
      void again();
    },
  });
  const box = useRef<HTMLTextAreaElement>(null);
  useKeys({ c: may ? () => box.current?.focus() : undefined });
  const comments = alert.comments ?? [];
  return (
    <>
      {comments.map((c) => (
        <div className="comment" key={c.id}>
          <div className="who">
            <strong><Raw value={c.author} /></strong>
            <span className="dim"><Ago at={c.created} /></span>
            {c.author === user.username && may && (
              <button type="button" className="plain link" style={{ marginLeft: 'auto' }} onClick={() => setRemoving(c)}>Delete</button>
            )}
          </div>
          <CommentText text={c.text} />
        </div>
      ))}
      {!comments.length && !may && <Empty title="No comments" />}
      {may && (
        <form className="body stack" onSubmit={(e) => { e.preventDefault(); if (text.trim()) { add.mutate(); } }}>
          <Textarea ref={box} aria-label="Comment" placeholder="What you found, for the next one who looks" value={text} autosize minRows={2} maxRows={12}
            maxLength={10_000} onChange={(e) => setText(e.currentTarget.value)}
            onKeyDown={(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey) && text.trim()) { add.mutate(); } }} />
          <ErrorBox error={add.error} />
          <Button type="submit" loading={add.isPending} disabled={!text.trim()} style={{ alignSelf: 'flex-start' }}>Comment</Button>
        </form>
      )}
      <Confirm opened={removing !== null} onClose={() => setRemoving(null)} title="Delete your comment" action="Delete"
        onConfirm={async () => {
          await call('DELETE', '/alerts/{id}/comments/{comment}', { path: { id: alert.id, comment: removing?.id ?? '' } });
          await again();
        }}>
        It is gone for everybody. The audit log keeps that it was there.
      </Confirm>
    </>
  );
}

/** People's own words: lines are lines, everything else as for any text that is not ours. */
function CommentText({ text }: { text: string }) {
  return (
    <div>
      {text.slice(0, 10_000).split('\n').map((line, i) => (
        <div key={i} style={{ minHeight: '1em' }}>{line && <Raw value={line} most={2000} />}</div>
      ))}
    </div>
  );
}

function Evidence({ alert, columns }: { alert: AlertDetail; columns: Set<string> }) {
  const [open, setOpen] = useState<number | null>(0);
  const events = (alert.evidence ?? []) as Record<string, unknown>[];
  if (!events.length) {
    return <Empty title="No evidence is kept with this alert" />;
  }
  return (
    <div>
      {events.map((item, i) => {
        // An entry is the event, or holds it beside its place in the store.
        const e = (typeof item.event === 'object' && item.event ? item.event : item) as StoredEvent;
        return (
          <div className="comment" key={i}>
            <button type="button" className="plain filters" style={{ width: '100%' }} aria-expanded={open === i} onClick={() => setOpen(open === i ? null : i)}>
              <span className="dim" aria-hidden="true">{open === i ? '▾' : '▸'}</span>
              <Time at={timeOf(e)} />
              <span className="mono"><RawCell value={typeOf(e) || 'event'} /></span>
              <span className="mono"><RawCell value={processName(e)} /></span>
            </button>
            {open === i ? (
              <div style={{ marginTop: 8 }}><EventFields event={e} columns={columns} /></div>
            ) : (
              <div className="dim mono" style={{ overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' }}><RawCell value={summary(e)} /></div>
            )}
          </div>
        );
      })}
    </div>
  );
}

function Ancestry({ alert }: { alert: AlertDetail }) {
  const line = objects(alert.ancestry);
  if (!line.length) {
    return <Empty title="No ancestry is known" />;
  }
  return (
    <ol className="tree" style={{ listStyle: 'none', margin: 0 }}>
      {[...line].reverse().map((p, i) => {
        const key = textOf(p.process_key ?? p.key);
        const path = textOf(p.image_path ?? p.path ?? p.name);
        return (
          <li className={i === line.length - 1 ? 'node here' : 'node'} key={i} style={{ marginLeft: i * 14 }}>
            {key ? (
              <Link className="mono" to={`/endpoints/${encodeURIComponent(alert.endpoint_id)}/processes/${encodeURIComponent(key)}`}><RawCell value={path.split(/[\\/]/).pop() || 'process'} /></Link>
            ) : (
              <span className="mono"><RawCell value={path} /></span>
            )}
            <span className="dim num">{textOf(p.pid)}</span>
            <span className="cmd dim mono"><RawCell value={p.command_line ?? path} /></span>
          </li>
        );
      })}
    </ol>
  );
}

/** Tactics and techniques first, as people say them: "attack.t1059.004" is T1059.004. */
function RuleTags({ tags }: { tags: string[] }) {
  const say = (t: string) => (/^attack\.[tsg]\d/i.test(t) ? t.slice(7).toUpperCase() : t.replace(/^attack\./i, '').replace(/[_-]/g, ' '));
  const ranked = [...tags].sort((a, b) => Number(!a.startsWith('attack.')) - Number(!b.startsWith('attack.')));
  return (
    <span className="filters" style={{ gap: 5 }}>
      {ranked.slice(0, 40).map((t) => <span className={/^attack\.t\d/i.test(t) ? 'tag violet' : 'tag'} key={t} title={t}><RawCell value={say(t)} /></span>)}
    </span>
  );
}

/** What else the same endpoint was noticed for: one alert is a story only together with its neighbours. */
function Related({ alert }: { alert: AlertDetail }) {
  const q = useQuery({
    queryKey: ['alerts', 'related', alert.endpoint_id],
    queryFn: ({ signal }) => get('/alerts', { query: { endpoint: alert.endpoint_id, limit: RELATED + 1 }, signal }),
  });
  const others = (q.data?.items ?? []).filter((o) => o.id !== alert.id).slice(0, RELATED);
  return (
    <Panel title="Also on this endpoint" more={<Link to={`/alerts?endpoint=${encodeURIComponent(alert.endpoint_id)}`}>All</Link>}>
      <ErrorBox error={q.error} />
      {q.data && !others.length && <Empty title="No other alert" />}
      {others.length > 0 && (
        <table className="small">
          <tbody>
            {others.map((o) => (
              <tr key={o.id}>
                <td style={{ width: 70 }}><SeverityTag severity={o.severity} /></td>
                <td>
                  <Link to={`/alerts/${o.id}`}><Raw value={o.rule_title || o.rule_id} most={80} /></Link>
                  {o.process_key !== null && o.process_key === alert.process_key && <span className="dim"> same process</span>}
                </td>
                <td className="right dim nowrap">{o.state === 'closed' ? 'closed' : <Ago at={o.ts} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

/** The neighbours in the list that was looked at last. */
function useNeighbours(id: string): { before?: string; after?: string } {
  const client = useQueryClient();
  const lists = client.getQueryCache().findAll({ queryKey: ['alerts', 'list'] });
  const newest = lists.sort((a, b) => b.state.dataUpdatedAt - a.state.dataUpdatedAt)[0];
  const ids = (newest?.state.data as InfiniteData<Got<'/alerts'>> | undefined)?.pages.flatMap((p) => p.items.map((a) => a.id)) ?? [];
  const at = ids.indexOf(id);
  return at < 0 ? {} : { before: ids[at - 1], after: ids[at + 1] };
}

function Neighbours({ id }: { id: string }) {
  const navigate = useNavigate();
  const { before, after } = useNeighbours(id);
  const go = (to?: string) => (to ? () => navigate(`/alerts/${encodeURIComponent(to)}`) : undefined);
  useKeys({ n: go(after), p: go(before) });
  if (!before && !after) {
    return null;
  }
  return (
    <>
      <ActionIcon aria-label="Previous alert" title="Previous alert of the list (p)" disabled={!before} onClick={go(before)}><IconChevronUp size={17} /></ActionIcon>
      <ActionIcon aria-label="Next alert" title="Next alert of the list (n)" disabled={!after} onClick={go(after)}><IconChevronDown size={17} /></ActionIcon>
    </>
  );
}

export default function AlertView() {
  const { id = '' } = useParams();
  const analyst = useMay('analyst');
  const known = useColumns();
  const send = useSend();
  const q = useQuery({
    queryKey: ['alert', id],
    queryFn: ({ signal }) => call('GET', '/alerts/{id}', { path: { id }, signal }),
  });
  if (!q.data) {
    return (
      <Page name="Alert" title="Alert" before={<Link to="/alerts">Alerts</Link>}>
        {q.error ? <ErrorBox error={q.error} retry={() => void q.refetch()} /> : <Waiting />}
      </Page>
    );
  }
  const a = q.data.data;
  const end = endOf(a.endpoint_id, a.pid, a.process_key, `Alert ${a.id}`);
  return (
    <Page name="Alert" before={<Link to="/alerts">Alerts</Link>} title={<Raw value={a.rule_title || a.rule_id} most={160} />}
      actions={
        <>
          {a.process_key && <Link to={`/endpoints/${encodeURIComponent(a.endpoint_id)}/processes/${encodeURIComponent(a.process_key)}`}>Process tree and timeline</Link>}
          <Link to={huntAround(a.endpoint_id, a.ts)}>Events around it</Link>
          {send.ask && end && <Button variant="default" color="red" onClick={() => send.ask?.(end)}>End this process</Button>}
          <Neighbours id={a.id} />
          <Copy text={JSON.stringify(a, null, 2)} label="Copy alert as JSON" />
        </>
      }>
      <div className="filters">
        <SeverityTag severity={a.severity} />
        <StateTag state={a.state} />
        {a.resolution && <span className="tag">{RESOLUTIONS.find((r) => r.value === a.resolution)?.label ?? a.resolution}</span>}
        <span><Time at={a.ts} /> <span className="dim"><Ago at={a.ts} /></span></span>
        <Link to={`/endpoints/${encodeURIComponent(a.endpoint_id)}`}><RawCell value={a.hostname || a.endpoint_id} /></Link>
        {a.suppressed > 0 && <span className="dim">and {plural(a.suppressed, 'more match', 'more matches')} of the same, held back</span>}
      </div>
      <ErrorBox error={q.error} />
      <div className="grid wide">
        <div className="grid">
          <Panel title="What happened">
            <dl className="facts body">
              {a.message && (<><dt>Message</dt><dd><Raw value={a.message} most={1000} /></dd></>)}
              <dt>Program</dt><dd><Pivot column="process_path" value={a.image_path} /></dd>
              <dt>Command line</dt><dd><Pivot column="command_line" value={a.command_line} /></dd>
              <dt>User</dt><dd><Pivot column="user" value={a.user} /></dd>
              <dt>PID</dt><dd><Pivot column="pid" value={a.pid} /></dd>
              <dt>Rule</dt><dd><Raw value={a.rule_id} mono /> <Link to={`/alerts?${new URLSearchParams({ rule: a.rule_id }).toString()}`}>all of this rule</Link></dd>
              {(a.rule_tags ?? []).length > 0 && (<><dt>Technique</dt><dd><RuleTags tags={a.rule_tags ?? []} /></dd></>)}
              <dt>Counted by</dt><dd><Raw value={a.entity} mono /></dd>
              <dt>Found by</dt><dd><Raw value={a.origin} /> <span className="dim">{plural(a.match_count, 'event')}</span></dd>
              <dt>Received</dt><dd><Time at={a.received} /></dd>
            </dl>
          </Panel>
          {Boolean(a.matched) && (
            <Panel title="Why the rule matched">
              <div className="body"><Matched value={a.matched} /></div>
            </Panel>
          )}
          <Panel title="Ancestry"><Ancestry alert={a} /></Panel>
          <Panel title={`Evidence, ${plural((a.evidence ?? []).length, 'event')}`}><Evidence alert={a} columns={known.names} /></Panel>
          {(a.responses ?? []).length > 0 && (
            <Panel title="Responses">
              {(a.responses ?? []).map((r, i) => <div className="comment" key={i}><EventFields event={r} columns={known.names} /></div>)}
            </Panel>
          )}
        </div>
        <div className="grid">
          <Panel title="Triage">
            {analyst ? (
              <Triage answer={q.data} />
            ) : (
              <dl className="facts body">
                <dt>State</dt><dd><StateTag state={a.state} /></dd>
                <dt>Assignee</dt><dd><Raw value={a.assignee} /></dd>
                <dt>Tags</dt><dd><Raw value={(a.tags ?? []).join(', ')} /></dd>
              </dl>
            )}
          </Panel>
          {a.process_key && <Told endpoint={a.endpoint_id} process={a.process_key} />}
          <Panel title={`Comments ${a.comments_count ? num(a.comments_count) : ''}`}><Comments alert={a} may={analyst} /></Panel>
          <Related alert={a} />
        </div>
      </div>
      {send.dialog}
    </Page>
  );
}

function Matched({ value }: { value: unknown }) {
  const list = Array.isArray(value) ? value : [value];
  return (
    <dl className="facts">
      {list.slice(0, 200).map((m: unknown, i) => {
        const o = (typeof m === 'object' && m ? m : { value: m }) as Record<string, unknown>;
        const name = textOf(o.field ?? o.name ?? o.selection ?? `condition ${i + 1}`);
        const rest = o.value ?? o.values ?? o.text ?? o;
        return (
          <div key={i} style={{ display: 'contents' }}>
            <dt className="mono"><Raw value={name} /></dt>
            <dd><Raw value={rest} mono /></dd>
          </div>
        );
      })}
    </dl>
  );
}
