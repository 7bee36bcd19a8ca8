import { type Html, html } from '../html.js'
import { cover, type Photo } from './photos.js'
import { demoUsers, type User } from './users.js'

interface Page {
  title: string
  user?: User
  csrfToken?: string
}

function layout({ title, user, csrfToken }: Page, main: Html): string {
  const account = html`
    <a href="/oauth/authorized-applications">Connected apps</a>
    <a href="/oauth/applications">Your apps</a>
    ${user?.admin && html`<a href="/oauth/admin">Administration</a>`}
    <form method="post" action="/logout">
      <input type="hidden" name="_csrf" value="${csrfToken}">
      <button class="plain">Sign out</button>
    </form>`
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · Daylight Photos</title>
  <link rel="icon" href="/icon.svg">
  <link rel="stylesheet" href="/style.css">
</head>
<body>
  <header>
    <a class="brand" href="/"><img src="/icon.svg" alt="" width="28" height="28">Daylight Photos</a>
    <nav>${user ? account : html`<a href="/login">Sign in</a>`}</nav>
  </header>
  <main>${main}</main>
</body>
</html>`.toString()
}

const figure = ({ title, image }: Photo) => html`
  <figure><img src="${image}" alt="${title}" width="600" height="400"><figcaption>${title}</figcaption></figure>`

export function welcomePage(): string {
  return layout(
    { title: 'Welcome' },
    html`
    <section class="hero">
      <h1>Every day has its light.</h1>
      <p>Daylight keeps your photos, and shows them only to whom you choose.</p>
      <a class="button" href="/login">Sign in</a>
    </section>
    <img class="cover" src="${cover}" alt="">`,
  )
}

export function homePage({
  user,
  photos,
  csrfToken,
}: {
  user: User
  photos: Photo[]
  csrfToken: string
}): string {
  const albums = [...new Set(photos.map(({ album }) => album))].map(
    (album) => html`
    <section>
      <h2>${album}</h2>
      <div class="photos">${photos.filter((photo) => photo.album === album).map(figure)}</div>
    </section>`,
  )
  return layout({ title: 'Your photos', user, csrfToken }, html`<h1>${user.name}’s photos</h1>${albums}`)
}

interface LoginPage {
  returnTo: string
  csrfToken: string
  email?: string
  failed?: boolean
}

export function loginPage({ returnTo, csrfToken, email, failed }: LoginPage): string {
  const account = (user: (typeof demoUsers)[number]) => html`
    <li><code>${user.email}</code> <code>${user.password}</code></li>`
  return layout(
    { title: 'Sign in' },
    html`
    <form class="card" method="post" action="/login">
      <h1>Sign in</h1>
      ${failed && html`<p class="problem" role="alert">No user has this e-mail address and password.</p>`}
      <input type="hidden" name="_csrf" value="${csrfToken}">
      <input type="hidden" name="return_to" value="${returnTo}">
      <label>E-mail <input type="email" name="email" value="${email}" autocomplete="username" required autofocus></label>
      <label>Password <input type="password" name="password" autocomplete="current-password" required></label>
      <button>Sign in</button>
      <div class="demo">
        <p>Two users live in this demo:</p>
        <ul>${demoUsers.map(account)}</ul>
      </div>
    </form>`,
  )
}

export function errorPage(message: string): string {
  return layout(
    { title: message },
    html`<section class="hero"><h1>${message}</h1><a class="button" href="/">Start again</a></section>`,
  )
}
