import type { Plan } from "../api/types";

const MOST = 12;

/** What a job would do, before it does it. */
export function PlanView({ plan }: { plan: Plan }) {
  return (
    <section className="plan" aria-live="polite">
      <h2>{plan.count === 1 ? "1 task" : `${plan.count.toLocaleString("en")} tasks`}</h2>
      {plan.warnings.map((warning) => (
        <p key={warning} className="warn">
          {warning}
        </p>
      ))}
      <ul>
        {plan.tasks.slice(0, MOST).map((task) => (
          <li key={task.name}>
            <span className="ellipsis">{task.name}</span>
            <span className="quiet">{task.state}</span>
          </li>
        ))}
      </ul>
      {plan.count > MOST ? <p className="quiet">and {(plan.count - MOST).toLocaleString("en")} more</p> : null}
    </section>
  );
}
