// SPDX-License-Identifier: Apache-2.0
import { Empty, Page } from '../ui/basics';

export default function View() {
  return (
    <Page name="account" title="account">
      <Empty title="account" />
    </Page>
  );
}
