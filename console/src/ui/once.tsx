// SPDX-License-Identifier: Apache-2.0
// A secret that is shown this once.
import { Button, Modal } from '@mantine/core';
import type { ReactNode } from 'react';
import { Command } from './basics';

export function Once({ secret, title, children, close }: { secret: string | null; title: string; children: ReactNode; close: () => void }) {
  return (
    <Modal opened={secret !== null} onClose={close} title={title} size="lg" closeOnClickOutside={false} closeOnEscape={false}>
      <div className="stack">
        <div>{children}</div>
        <Command text={secret ?? ''} />
        <div className="filters right">
          <Button onClick={close}>I have kept it</Button>
        </div>
      </div>
    </Modal>
  );
}
