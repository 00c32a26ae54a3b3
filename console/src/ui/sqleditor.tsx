// SPDX-License-Identifier: Apache-2.0
// SQL with completion. It lives in a shadow root: there CodeMirror's styles are adopted style sheets, which the server's
// policy allows, while in the document they would be <style> elements, which it does not.
import { autocompletion, completionKeymap, closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { SQLite, sql } from '@codemirror/lang-sql';
import { HighlightStyle, bracketMatching, syntaxHighlighting } from '@codemirror/language';
import { Compartment, EditorState, Prec } from '@codemirror/state';
import { EditorView, drawSelection, highlightSpecialChars, keymap, lineNumbers, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';
import type { EventColumn } from '../lib/columns';

const look = EditorView.theme({
  '&': { fontSize: '12.5px', color: 'var(--text)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-content': { fontFamily: 'var(--mantine-font-family-monospace)', caretColor: 'var(--text)', minHeight: '84px' },
  '.cm-scroller': { maxHeight: '260px', overflow: 'auto' },
  '.cm-gutters': { backgroundColor: 'var(--raised)', color: 'var(--dim)', border: 'none' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { backgroundColor: 'var(--chosen)' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--text)', border: '1px solid var(--line)', borderRadius: '5px' },
  '.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mantine-font-family-monospace)', maxHeight: '220px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--accent)' },
  '.cm-completionInfo': { maxWidth: '320px', fontFamily: 'var(--mantine-font-family)' },
  '.cm-placeholder': { color: 'var(--dim)' },
  '.cm-specialChar': { color: 'var(--mark)' },
});
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--violet)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--low)' },
  { tag: tags.comment, color: 'var(--dim)', fontStyle: 'italic' },
  { tag: [tags.operator, tags.punctuation], color: 'var(--dim)' },
]);

/** The tables of the store beside `events`, whose columns the server names. */
const TABLES: Record<string, string[]> = {
  ledger: ['agent_id', 'hostname', 'epoch', 'boot_id', 'stream', 'state', 'unknown_since', 'produced', 'stored', 'expired', 'lost', 'missing'],
  ledger_loss: ['agent_id', 'epoch', 'stream', 'reason', 'lost'],
  coverage_gaps: ['agent_id', 'hostname', 'stream', 'reason'],
  agents: ['agent_id', 'hostname', 'os', 'os_version', 'agent_version', 'last_seen'],
  alerts: ['id', 'ts', 'agent_id', 'hostname', 'rule_id', 'rule_title', 'severity', 'message', 'entity', 'process_key', 'image_path', 'command_line', 'user'],
  rules: ['id', 'title', 'severity', 'enabled'],
  process_tree: [],
  responses: [],
  alert_evidence: [],
  tamper: [],
};

/**
 * Text typed over a selection: left to the browser it would get an inline style of the replaced text, which the policy
 * refuses and reports.
 */
const typedOver = EditorView.domEventHandlers({
  beforeinput: (e, view) => {
    const { from, to, empty } = view.state.selection.main;
    if (e.inputType !== 'insertText' || e.data === null || empty || view.composing) {
      return false;
    }
    const text = e.data;
    const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type', scrollIntoView: true });
    if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, text, insert))) {
      view.dispatch(insert());
    }
    e.preventDefault();
    return true;
  },
});

function language(columns: EventColumn[]) {
  const events = columns.map((c) => ({ label: c.name, type: 'property', detail: c.type, info: c.help }));
  return sql({ dialect: SQLite, upperCaseKeywords: true, defaultTable: 'events', schema: { ...TABLES, events } });
}

export default function SqlEditor({
  value,
  columns,
  onChange,
  onRun,
  at,
}: {
  value: string;
  columns: EventColumn[];
  onChange: (text: string) => void;
  onRun: () => void;
  /** Where the server found an error, from 1. */
  at?: { line: number; column: number } | null;
}) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>();
  const lang = useRef(new Compartment());
  const calls = useRef({ onChange, onRun });
  calls.current = { onChange, onRun };
  useEffect(() => {
    const el = host.current;
    if (!el) {
      return undefined;
    }
    const root = el.shadowRoot ?? el.attachShadow({ mode: 'open' });
    const place = document.createElement('div');
    root.replaceChildren(place);
    view.current = new EditorView({
      parent: place,
      root,
      state: EditorState.create({
        doc: value,
        extensions: [
          lineNumbers(), history(), drawSelection(), highlightSpecialChars(), bracketMatching(), closeBrackets(),
          autocompletion(), look, syntaxHighlighting(colours), placeholder('SELECT … FROM events'),
          EditorView.lineWrapping,
          typedOver,
          EditorView.contentAttributes.of({ 'aria-label': 'SQL statement' }),
          lang.current.of(language([])),
          Prec.highest(keymap.of([{ key: 'Mod-Enter', run: () => { calls.current.onRun(); return true; } }])),
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
          EditorView.updateListener.of((u) => u.docChanged && calls.current.onChange(u.state.doc.toString())),
        ],
      }),
    });
    return () => view.current?.destroy();
    // the document is the editor's own once it lives
    // eslint-disable-next-line
  }, []);
  useEffect(() => {
    view.current?.dispatch({ effects: lang.current.reconfigure(language(columns)) });
  }, [columns]);
  useEffect(() => {
    const v = view.current;
    if (v && v.state.doc.toString() !== value) {
      v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value } });
    }
  }, [value]);
  useEffect(() => {
    const v = view.current;
    if (v && at && at.line >= 1 && at.line <= v.state.doc.lines) {
      const line = v.state.doc.line(at.line);
      const pos = Math.min(line.to, line.from + Math.max(0, at.column - 1));
      v.dispatch({ selection: { anchor: pos, head: Math.min(line.to, pos + 1) } });
      v.focus();
    }
  }, [at]);
  return <div className="editor" ref={host} />;
}
