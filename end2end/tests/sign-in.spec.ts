// Getting in, being somebody, getting out: as a person meets it.
import { Console } from './support/console.ts';
import { expect, routes, test } from './support/page.ts';

test.use({ as: null });

test('a page leads to sign-in, and back to where one wanted to go', async ({ page, url }) => {
  const wanted = `${routes.runs}?status=completed`;
  await page.goto(url + wanted);
  await expect(page).toHaveURL(`${url}${routes.signIn}?to=${encodeURIComponent(wanted)}`);
  await expect(page.getByRole('navigation')).toHaveCount(0);
  await page.getByRole('button', { name: /^Auditor/ }).click();
  await expect(page).toHaveURL(url + wanted);
  await expect(page.getByRole('link', { name: 'Demo auditor' })).toBeAttached();
});

test('another site is never where one is led to', async ({ page, url }) => {
  for (const to of ['//evil.example', '/\\evil.example', 'https://evil.example', '/%2F/evil.example%0d%0aX: y']) {
    await page.context().clearCookies();
    await page.goto(`${url}${routes.signIn}?to=${encodeURIComponent(to)}`);
    await page.getByRole('button', { name: /^Operator/ }).click();
    expect(new URL(page.url()).origin, to).toBe(url);
  }
});

test('name and password let in, wrong ones do not say which was wrong', async ({ page }) => {
  const own = await Console.start();
  try {
    const { name, password } = own.user('operator');
    for (const [who, what] of [[name, 'not the password'], ['nobody', password]] as const) {
      await page.goto(own.url + routes.signIn);
      await page.getByLabel('Name').fill(who);
      await page.getByLabel('Password').fill(what);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await expect(page.getByRole('alert')).toContainText('Name and password do not belong together');
      await expect(page.getByLabel('Name')).toHaveValue(who);
      await expect(page.getByLabel('Password')).toHaveValue('');
    }
    await page.getByLabel('Name').fill(` ${name.toUpperCase()} `);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await expect(page).toHaveURL(own.url + routes.home);
    const cookie = (await page.context().cookies()).find(({ name }) => name === 'qd_session');
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
    expect(await page.evaluate('document.cookie')).not.toContain('qd_session');
  } finally {
    await own.stop();
  }
});

test('one sees one’s sessions, ends another one, and signs out', async ({ page, url, browser }) => {
  await page.goto(url + routes.signIn);
  await page.getByRole('button', { name: /^Operator/ }).click();
  const other = await browser.newContext();
  const elsewhere = await other.newPage();
  await elsewhere.goto(url + routes.signIn);
  await elsewhere.getByRole('button', { name: /^Operator/ }).click();
  await expect(elsewhere).toHaveURL(url + routes.home);

  await page.goto(url + routes.account);
  await expect(page.getByText('platform.operations.manage')).toBeVisible();
  await expect(page.getByText('identity.manage')).toHaveCount(0);
  const sessions = page.getByRole('table', { name: /Sessions of yours/ });
  await expect(sessions.getByText('this one')).toHaveCount(1);
  // The newest after this one: others of this suite are there too.
  await sessions.getByRole('button', { name: /^End the session/ }).first().click();
  await expect(page.getByRole('status')).toContainText('Session ended');
  await elsewhere.reload();
  await expect(elsewhere).toHaveURL(/\/sign-in/);
  await other.close();

  await page.getByRole('main').getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(url + routes.signIn);
  await page.goto(url + routes.runs);
  await expect(page).toHaveURL(/\/sign-in\?to=/);
});

test('a new password is chosen, and ends the other sessions', async ({ page, browser }) => {
  const own = await Console.start();
  try {
    const { name, password } = own.user('auditor');
    await own.enter(page.context(), 'auditor');
    const other = await browser.newContext();
    const elsewhere = await other.newPage();
    await elsewhere.goto(own.url + routes.signIn);
    await elsewhere.getByLabel('Name').fill(name);
    await elsewhere.getByLabel('Password').fill(password);
    await elsewhere.getByRole('button', { name: 'Sign in', exact: true }).click();

    await page.goto(own.url + routes.account);
    await page.getByText('Change password…').click();
    await page.getByLabel('Password now').fill(password);
    await page.getByLabel('New password').fill('short');
    await page.getByRole('button', { name: 'Change password', exact: true }).click();
    await expect(page.getByRole('alert')).toContainText('12 to 200 characters');
    await page.getByLabel('Password now').fill(password);
    await page.getByLabel('New password').fill('a few words do well');
    await page.getByRole('button', { name: 'Change password', exact: true }).click();
    await expect(page.getByRole('status')).toContainText('Password changed');
    await elsewhere.reload();
    await expect(elsewhere).toHaveURL(/\/sign-in/);
    await other.close();
  } finally {
    await own.stop();
  }
});

test('what one may not see is not there, and says what is missing when asked for', async ({ page, url }) => {
  await page.goto(url + routes.signIn);
  await page.getByRole('button', { name: /^Auditor/ }).click();
  await page.goto(url + routes.runbooks);
  await expect(page.getByRole('button', { name: /^Start/ })).toHaveCount(0);
  await expect(page.getByText('platform.operations.manage').first()).toBeVisible();
  const answer = await page.request.post(url + routes.runbooks, {
    form: { type: 'system.self_check' },
    headers: { origin: url },
  });
  expect(answer.status()).toBe(403);
  expect(await answer.text()).toContain('platform.operations.manage');
});

test('a stream that is open ends when its session does @scripted', async ({ page, url }) => {
  await page.goto(url + routes.signIn);
  await page.getByRole('button', { name: /^Auditor/ }).click();
  await expect(page.locator('.live')).toContainText('live');
  const again = page.waitForResponse((answer) => answer.url().includes('/events/stream') && answer.status() === 401);
  await page.evaluate(`fetch('/api/v1/session', { method: 'DELETE' })`);
  await again;
  await expect(page.locator('.live')).not.toContainText(/^live/);
});
