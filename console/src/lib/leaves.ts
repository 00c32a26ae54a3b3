// SPDX-License-Identifier: Apache-2.0
export interface Field {
  path: string;
  value: unknown;
}

/** Every leaf of an event with the path to it; arrays of plain values are one leaf. */
export function leaves(value: unknown, path = '', out: Field[] = []): Field[] {
  if (out.length >= 2000) {
    return out;
  }
  const plainList = Array.isArray(value) && value.every((v) => typeof v !== 'object' || v === null);
  if (typeof value === 'object' && value !== null && !plainList) {
    for (const [k, v] of Object.entries(value)) {
      leaves(v, path ? `${path}.${k}` : k, out);
    }
  } else {
    out.push({ path, value });
  }
  return out;
}
