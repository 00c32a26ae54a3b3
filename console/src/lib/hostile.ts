// SPDX-License-Identifier: Apache-2.0
// Text that an endpoint sent: whoever runs a process there writes it. It must neither hide nor rearrange anything.

// Controls, format characters (bidi, zero width), odd spaces, line separators, private, unassigned, lone surrogates,
// fillers that look like nothing, variation selectors.
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\u00a0\u034f\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\ufe00-\ufe0f\uffa0]|[\u{e0100}-\u{e01ef}]/gu;

const NAMES: Record<number, string> = { 0: '\\0', 9: '\\t', 10: '\\n', 13: '\\r', 27: '\\e', 8: '\\b', 7: '\\a' };

/** How an unseen character is written. */
export function spell(c: string): string {
  const code = c.codePointAt(0) ?? 0;
  return NAMES[code] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`);
}

export interface Piece {
  text: string;
  unseen: boolean;
}

/** The text in pieces; unseen characters are spelled out and marked. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let at = 0;
  for (const m of text.matchAll(UNSEEN)) {
    if (m.index > at) {
      out.push({ text: text.slice(at, m.index), unseen: false });
    }
    out.push({ text: spell(m[0]), unseen: true });
    at = m.index + m[0].length;
  }
  if (at < text.length) {
    out.push({ text: text.slice(at), unseen: false });
  }
  return out;
}

/** For places that take plain text only (titles, labels): the same, spelled out, cut. */
export function flat(text: string, most = 200): string {
  const cut = cutAt(text, most);
  return pieces(cut).map((p) => p.text).join('') + (cut.length < text.length ? '…' : '');
}

/** At most `most` UTF-16 units, never half a pair. */
export function cutAt(text: string, most: number): string {
  if (text.length <= most) {
    return text;
  }
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most);
}

/** What of a list are objects: an agent puts anything there. */
export function objects(list: unknown): Record<string, unknown>[] {
  return (Array.isArray(list) ? list : []).filter((v): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v));
}

export function textOf(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  if (value === null || value === undefined) {
    return '';
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
