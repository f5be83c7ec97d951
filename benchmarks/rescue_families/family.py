"""What every family is: how its dying model of a seed is made."""

from rescue_families.case import Case
from rescue_families.case import drawer
from rescue_families.case import fit
from rescue_families.case import load
from rescue_families.case import state_of


class Family:
    """One family: its model is built and compiled once, for all seeds."""

    #: In tables and on the command line.
    name = ""
    #: What kills the network, in a few words.
    dies = ""
    #: Epochs that each arm may use, and samples in a step.
    epochs = 40
    batch_size = 32
    #: Epochs of the run that kills, at its learning rate.
    killing_epochs = 5
    learning_rate = 0.001
    healthy_rate = 0.001
    #: None where results are accuracies or the next line says it; else the greatest
    #: MSE of a rescued network.
    greatest_mse = None
    #: Or by how much its MSE may be above the mean of the twins.
    mse_margin = None

    def missing(self):
        """Why the family cannot run here, or an empty string."""
        return ""

    def build(self):
        """The compiled model; its twin is the same one, where `prepare` sets none."""
        raise NotImplementedError

    def data(self, seed):
        """The data that the dying model has to learn."""
        raise NotImplementedError

    def prepare(self):
        """Build once."""
        if not hasattr(self, "model"):
            self.model = self.build()
            self.store = {}
            self.draw = drawer(self.model)
            self.draw_healthy = self.draw
            self.twin = getattr(self, "twin", self.model)

    def kill(self, seed, callbacks=()):
        """Bring the model into its dying state, unless a callback prevents it."""
        load(self.model, self.draw(seed), self.learning_rate)
        data = self.data(seed)
        fit(self.model, data, self.killing_epochs, self.batch_size, seed, callbacks)

    @property
    def killed(self):
        """The model that the killing run trains."""
        return self.model

    def case(self, seed):
        """The dying model of a seed."""
        self.prepare()
        self.kill(seed)
        weights, optimizer = state_of(self.model)
        return Case(
            self.model,
            self.twin,
            weights,
            optimizer,
            self.data(seed),
            self.draw,
            self.draw_healthy,
            self.learning_rate,
            self.healthy_rate,
            self.epochs,
            self.batch_size,
            self.store,
        )
