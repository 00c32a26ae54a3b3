// SPDX-License-Identifier: Apache-2.0
// What the people's API takes and answers: the shapes of server/admin/openapi.yaml that the console uses.

export type Role = 'viewer' | 'analyst' | 'responder' | 'admin';
export type Scope = 'read' | 'triage' | 'respond' | 'admin';
export type Severity = 'informational' | 'low' | 'medium' | 'high' | 'critical';
export type AlertState = 'new' | 'in_progress' | 'closed';
export type Resolution = 'true_positive' | 'false_positive' | 'benign' | 'duplicate';
export type EndpointStatus = 'online' | 'offline' | 'degraded' | 'never' | 'revoked';

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface User {
  id: string;
  username: string;
  display_name: string;
  role: Role;
  groups: string[] | null;
  disabled: boolean;
  totp: boolean;
  locked_until: string | null;
  created: string;
  last_seen: string | null;
  must_change_password: boolean;
}

export interface Session {
  user: User;
  csrf: string;
  must_change_password: boolean;
  must_set_totp: boolean;
  expires: string;
}

export interface OwnSession {
  id: string;
  created: string;
  last_seen: string;
  expires: string;
  address: string;
  agent: string;
  current: boolean;
}

export interface ApiToken {
  id: string;
  name: string;
  scopes: Scope[];
  created: string;
  expires: string;
  last_used: string | null;
  owner: string;
}

export interface EnrollmentToken {
  id: string;
  uses_left: number;
  expires: string;
  created: string;
  group: string;
  note: string;
}

export interface NewEnrollmentToken extends EnrollmentToken {
  token: string;
  ca_sha256: string;
  command: string;
}

export interface AuditEntry {
  id: string | number;
  ts: string;
  actor: string;
  actor_kind: string;
  address: string;
  action: string;
  object: string;
  detail: unknown;
  hash: string;
}

export type Settings = Record<string, number | boolean | string | null>;

export interface Overview {
  endpoints: { total: number; online: number; offline: number; degraded: number };
  alerts: { open: Partial<Record<Severity, number>> } & Record<string, unknown>;
  events_24h: { ts: string; count: number }[];
  losses_24h: number;
  top_rules: { rule_id: string; rule_title: string; alerts: number; severity: Severity }[];
  store: { bytes: number; oldest: string | null; events: number };
  version: string;
}

export interface StreamState {
  epoch: string;
  stream: string;
  in_flight?: number;
  produced?: number;
  lost?: number;
}

export interface Endpoint {
  id: string;
  hostname: string;
  os: string;
  os_version: string;
  agent_version: string;
  group: string;
  status: EndpointStatus;
  enrolled: string;
  last_seen: string | null;
  address: string;
  health: string[];
  profile: string;
  rules_serial: string | null;
  note?: string;
  version?: number | string;
  sensor: {
    source?: string;
    level?: string;
    hooks_live?: string[];
    hooks_missing?: string[];
  } | null;
  streams: StreamState[];
  metrics?: Record<string, unknown>;
}

export interface LedgerRow {
  endpoint_id: string;
  hostname: string;
  epoch: string;
  stream: string;
  state: string;
  produced: number;
  stored: number;
  expired: number;
  lost: number;
  missing: number;
  in_flight: number;
  unknown_since?: string | null;
  losses?: { reason: string; lost: number }[];
}

export interface CoverageGap {
  endpoint_id: string;
  hostname: string;
  stream: string;
  from: string;
  to: string | null;
  reason: string;
}

/** A stored event: the line as the endpoint wrote it, with `_id`. Every value in it is hostile. */
export type StoredEvent = { _id: string } & Record<string, unknown>;

export interface EventColumn {
  name: string;
  type: string;
  help: string;
  ecs: string | null;
  types: string[];
}

export interface Histogram {
  interval_s: number;
  buckets: { ts: string; count: number; by_type?: Record<string, number> }[];
}

export interface SqlAnswer {
  columns: { name: string }[];
  rows: unknown[][];
  truncated: boolean;
  elapsed_ms: number;
  scanned?: unknown;
}

export interface AlertRow {
  id: string;
  ts: string;
  received: string;
  endpoint_id: string;
  hostname: string;
  rule_id: string;
  rule_title: string;
  severity: Severity;
  state: AlertState;
  resolution: Resolution | null;
  assignee: string | null;
  tags: string[];
  message: string;
  origin: string;
  entity: string | null;
  pid: number | null;
  process_key: string | null;
  image_path: string | null;
  command_line: string | null;
  user: string | null;
  suppressed: number;
  match_count: number;
  comments_count: number;
  version: number | string;
}

export interface Comment {
  id: string;
  author: string;
  created: string;
  text: string;
}

export interface AlertDetail extends AlertRow {
  evidence?: unknown[];
  ancestry?: Record<string, unknown>[];
  actions?: unknown[];
  responses?: Record<string, unknown>[];
  matched?: unknown;
  comments?: Comment[];
}

export interface ProcessNode {
  process_key: string;
  parent_key?: string | null;
  pid: number | null;
  image_path: string | null;
  command_line: string | null;
  user: string | null;
  started?: string | null;
  ended?: string | null;
}

export interface ProcessTree {
  process: ProcessNode;
  /** The parent first. */
  ancestors: ProcessNode[];
  children: ProcessNode[];
  more: boolean;
  next?: string | null;
}

export interface Rule {
  id: string;
  title: string;
  severity: Severity;
  enabled: boolean;
  version: number | string;
  alerts_7d: number;
}
